"""The form that draws samples, with a real sampler behind it."""

from __future__ import annotations

import base64

import pytest
from playwright.sync_api import Page, expect

from tests.api.test_samples import ask, generator_id, new_generator, sampler, settings
from tests.support.serving import Service

__all__ = ["generator_id", "new_generator", "sampler", "settings"]


@pytest.mark.usefixtures("sampler")
def test_samples_are_drawn_and_can_be_drawn_again(service: Service, page: Page, generator_id: str) -> None:
    page.goto(f"{service.url}/generators/{generator_id}")
    page.get_by_label("Ask for").select_option(label="red (forgotten)")
    page.get_by_label("Images").fill("6")
    page.get_by_label("Seed").fill("40")
    page.get_by_role("button", name="Draw").click()
    expect(page.locator("#drawn")).to_contain_text("6 images of red, seed 40", timeout=30_000)
    pictures = page.get_by_role("list", name="Samples").get_by_role("img")
    expect(pictures).to_have_count(6)
    assert pictures.nth(3).get_attribute("alt") == "red, seed 43"
    source = pictures.nth(3).get_attribute("src") or ""
    assert base64.b64decode(source.partition(",")[2]) == ask(service, generator_id, seed=43).content
    assert pictures.evaluate_all("all => all.every((image) => image.naturalWidth === 8)")
    page.get_by_label("Seed").fill("")
    page.get_by_role("button", name="Draw").click()
    expect(page.locator("#drawn")).not_to_contain_text("seed 40,")
