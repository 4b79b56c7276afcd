"""Where the tests find a browser: on the path, Playwright's own, installed where that is possible, else it is said."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from tests.support import programs


def program(folder: Path, name: str, script: str = "") -> Path:
    """Something that can be run."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole path, on a machine where Playwright has installed nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "browsers"))
    monkeypatch.delenv("CHROMIUM", raising=False)
    return folder


@pytest.mark.parametrize("name", programs.CHROMIUM)
def test_on_the_path(bare: Path, name: str) -> None:
    path = program(bare, name)
    assert programs.find_chromium() == str(path)


def test_by_its_name(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bare, "chromium")
    named = program(tmp_path, "another")
    monkeypatch.setenv("CHROMIUM", str(named))
    assert programs.find_chromium() == str(named)
    monkeypatch.setenv("CHROMIUM", str(tmp_path / "absent"))
    assert programs.find_chromium() is None


def test_playwrights_own(bare: Path) -> None:
    assert programs.find_chromium() is None
    own = programs.playwrights_own()
    program(own.parent, own.name)
    assert programs.find_chromium() == str(own)


def test_while_another_playwright_runs(bare: Path) -> None:
    def beside() -> str | None:
        with sync_playwright():
            return programs.find_chromium()

    # In a thread of its own: whatever other tests left running in this one.
    with ThreadPoolExecutor(1) as executor:
        assert executor.submit(beside).result() is None


def test_installed_as_root_on_debian(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    names = " ".join(f"{bare}/{name}" for name in ("chromium", *programs.OTHERS))
    install = f'[ "$1" = install ] || exit 0; for each in {names}; do : > $each; /bin/chmod +x $each; done'
    program(bare, "apt-get", install)
    assert programs.main() == 0
    assert programs.missing() == []


@pytest.mark.parametrize("user", [0, 1000])
def test_what_is_missing_is_said(
    bare: Path, user: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    for name in programs.OTHERS:
        program(bare, name)
    if user == 1000:
        program(bare, "apt-get", f": > {bare}/chromium; /bin/chmod +x {bare}/chromium")  # not to be tried
    else:
        program(bare, "apt-get", "exit 100")
    assert programs.main() == 1
    assert "the tests need chromium: on Debian, apt-get install chromium, or name a Chromium" in capsys.readouterr().err
