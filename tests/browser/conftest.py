"""A browser, and pages in it that must not complain."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.api.conftest import bearer, guarded, service, settings
from tests.support.programs import find_chromium

__all__ = ["bearer", "guarded", "service", "settings"]

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium."""
    executable = find_chromium()
    if executable is None:
        pytest.fail("there is no Chromium: python -m tests.support.programs")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a fresh profile. The test fails if a script, a style or anything else on it was refused or failed."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda message: complaints.append(message.text) if _bad(message.type, message.text) else None)
    opened.set_default_timeout(10_000)
    yield opened
    context.close()
    assert complaints == []


def _bad(type_: str, text: str) -> bool:
    # Chromium reports every answer of 400 and above; the tests that provoke one look at the page itself.
    return type_ in ("error", "warning") and "the server responded with a status of 4" not in text
