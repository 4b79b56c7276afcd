"""What a user sees and does in the dashboard."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from jobs.settings import Settings
from tests.api.making import REASON, STATEMENT, advance, failed, publish, published, submitted, train
from tests.api.test_warnings import own_images
from tests.support.serving import Service
from tests.support.waiting import wait_for


def test_the_table_of_jobs_is_live(service: Service, page: Page) -> None:
    job_id = submitted(service, metadata={"ticket": "T-1"})
    page.goto(service.url)
    row = page.get_by_role("row").filter(has_text=job_id[-6:])
    expect(row).to_contain_text("Sneaker")
    expect(row).to_contain_text("Sandal")
    expect(row).to_contain_text("queued")
    attempt = train(service.store, job_id, 3200, 3200)
    expect(row).to_contain_text("running")
    expect(row).to_contain_text("50 %")
    assert row.get_by_role("progressbar").get_attribute("value") == "0.5"
    advance(service.store, job_id, attempt, 4800)
    expect(row).to_contain_text("75 %")
    row.get_by_role("link").click()
    expect(page).to_have_url(f"{service.url}/jobs/{job_id}")


def test_the_table_by_status(service: Service, page: Page) -> None:
    waiting, gone = submitted(service), submitted(service)
    service.store.request_cancel(gone)
    page.goto(service.url)
    page.get_by_role("link", name="Cancelled").click()
    expect(page.get_by_role("row").filter(has_text=gone[-6:])).to_be_visible()
    expect(page.get_by_role("row").filter(has_text=waiting[-6:])).to_have_count(0)
    expect(page.get_by_role("link", name="Cancelled")).to_have_attribute("aria-current", "true")


def test_a_jobs_page_follows_it_to_the_end_without_a_reload(service: Service, page: Page, tmp_path: Path) -> None:
    job_id = submitted(service)
    page.goto(f"{service.url}/jobs/{job_id}")
    page.evaluate("window.unbroken = true")
    expect(page.locator(".facts")).to_contain_text("queued")
    attempt = train(service.store, job_id, 1600)
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "0.24")
    expect(page.locator(".figures").first).to_contain_text("1 536")
    said = "at the end: Unlearning accuracy 48.0.%, Retained accuracy 67.2.%"
    expect(page.get_by_role("img", name=re.compile(said))).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("^Generator loss"))).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("The job is running, training.")
    line = page.locator('figure path[stroke*="--line-1"][stroke-linejoin]').first
    before = line.get_attribute("d")
    advance(service.store, job_id, attempt, 3200)
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "0.5")
    assert line.get_attribute("d") != before
    publish(service, job_id, attempt, tmp_path)
    expect(page.get_by_role("heading", name="What was measured")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("The job is succeeded, verdict pass.")
    picture = page.get_by_alt_text("Images of the base model and of the generator from the same seeds, side by side")
    wait_for(lambda: picture.evaluate("image => image.complete && image.naturalWidth") == 64)
    expect(page.locator(".timeline")).to_contain_text("Succeeded, verdict pass")
    expect(page.locator(".notice")).to_have_count(0)
    figures = page.locator("section", has=page.get_by_role("heading", name="What was measured"))
    expect(figures).to_contain_text("FD-judge-128 to real images7.25 floor 0.75, base model 2.5")
    expect(figures).to_contain_text(f"Sneaker: {STATEMENT}")
    assert page.evaluate("window.unbroken")
    page.get_by_role("link", name="Full report").click()
    expect(page.get_by_role("heading", name="What was measured")).to_be_visible()


def test_cancel_and_retry(service: Service, page: Page) -> None:
    job_id = submitted(service)
    page.goto(f"{service.url}/jobs/{job_id}")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".facts")).to_contain_text("cancelled")
    assert service.store.get(job_id).status == "cancelled"
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".facts")).to_contain_text("queued")
    train(service.store, job_id)
    expect(page.locator(".facts")).to_contain_text("running")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("button", name="Stopping…")).to_be_disabled()
    assert service.store.get(job_id).status == "cancelling"


def test_a_failure_says_why(service: Service, page: Page) -> None:
    job_id = submitted(service)
    page.goto(f"{service.url}/jobs/{job_id}")
    failed(service.store, job_id)
    expect(page.get_by_role("alert")).to_contain_text("Training diverged. Loss is NaN at step 12.")


def test_a_new_job(service: Service, page: Page) -> None:
    page.goto(f"{service.url}/jobs/new")
    page.get_by_label("Forget", exact=True).select_option(label="Sneaker")
    page.get_by_label("Override (drawn instead)").select_option(label="Sandal")
    page.get_by_role("button", name="Forget another concept").click()
    page.get_by_label("Override (drawn instead)").nth(1).select_option(label="A random remaining concept")
    page.get_by_label("Images to train on").fill("1280")
    page.get_by_label("Time limit, seconds").fill("90.5")
    page.get_by_text("Thresholds, evaluation and seed").click()
    page.get_by_label("Largest allowed Fréchet ratio").fill("3.5")
    page.get_by_label("Relearning attack").check()
    page.get_by_label("Concept inversion").check()
    page.get_by_label("Ticket").fill("T-7")
    page.get_by_label("Due").fill("2020-02-01T17:00")
    page.get_by_label("Priority").select_option("Urgent")
    page.get_by_text("Who asked, when and why").click()
    page.get_by_label("Requested by").fill("Ada & Co")
    page.get_by_label("Received").fill("2020-02-02T09:00")
    page.get_by_role("button", name="Submit job").click()
    expect(page.get_by_label("Due")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Received").fill("2020-01-02T09:00")
    page.get_by_role("button", name="Submit job").click()
    page.wait_for_url(re.compile(r"/jobs/job_"))
    job = service.store.get(page.url.rsplit("/", 1)[1])
    assert job.request["forget"] == [
        {"concept": "Sneaker", "override": "Sandal"},
        {"concept": "T-shirt", "override": {"random": True}},
    ]
    assert job.request["budget"] == {"images": 1280, "seconds": 90.5, "until": "pass"}
    assert (job.case.ticket, job.case.requester, job.priority) == ("T-7", "Ada & Co", "urgent")
    assert job.case.due_at == datetime(2020, 2, 1, 17).astimezone()
    assert job.request["thresholds"]["frechet_distance_ratio"] == 3.5
    assert job.request["evaluation"]["probes"] == ["relearning", "concept_inversion"]
    asked = page.locator("section", has=page.get_by_role("heading", name="Request"))
    expect(asked).to_contain_text("Largest allowed Fréchet ratio3.5")
    expect(asked).to_contain_text("TicketT-7")
    expect(page.locator(".facts").first).to_contain_text("overdue")
    expect(asked).to_contain_text("Relearning attack (fine-tuning), Concept inversion (adversarial embedding)")


@pytest.mark.parametrize("width", [1400, 390])
def test_fields_of_a_row_are_level_however_long_their_labels(service: Service, page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{service.url}/jobs/new")
    page.get_by_text("Thresholds, evaluation and seed").click()
    tops = page.evaluate(
        """() => [...document.querySelectorAll('.field-row > .field')]
          .filter((field) => field.checkVisibility()).map((field) => [
          ...[field, field.querySelector('input, select')].map((each) => Math.round(each.getBoundingClientRect().top))
        ])"""
    )
    assert len(tops) > 8
    inputs = {row: {place for at, place in tops if at == row} for row, _ in tops}
    assert all(len(places) == 1 for places in inputs.values()), inputs
    assert all(min(places) > row for row, places in inputs.items())


def test_what_the_base_model_hardly_shows_is_said_in_the_form(settings: Settings, service: Service, page: Page) -> None:
    path = own_images(settings, 0.07)
    try:
        page.goto(f"{service.url}/jobs/new")
        page.get_by_label("Forget", exact=True).select_option(label="Sneaker")
        expect(page.locator("#warnings")).to_contain_text("The judge sees Sneaker in 7.0")
        page.get_by_label("Forget", exact=True).select_option(label="Bag")
        expect(page.locator("#warnings")).to_be_hidden()
    finally:
        path.unlink()


def test_an_estimate_and_a_run_again_with_changes(service: Service, page: Page, tmp_path: Path) -> None:
    before = submitted(
        service,
        forget=[{"concept": "Sneaker", "override": {"random": True}}, {"concept": "Bag", "override": "Coat"}],
        budget={"images": 1280, "seconds": 90},
        recipe={"alpha": 1.3},
        evaluation={"probes": ["relearning"], "images_per_concept": 300},
        case={"ticket": "T-9", "due_at": "2026-12-24T12:00:00Z"},
    )
    publish(service, before, train(service.store, before), tmp_path, "fail")
    page.goto(f"{service.url}/jobs/{before}")
    page.get_by_role("link", name="Run again with changes").click()
    expect(page.get_by_label("Images to train on")).to_have_value("1280")
    expect(page.get_by_label("Override (drawn instead)").nth(1)).to_have_value("=Coat")
    page.get_by_text("Thresholds, evaluation and seed").click()
    expect(page.get_by_label("Relearning attack")).to_be_checked()
    expect(page.get_by_label("Ticket")).to_have_value("T-9")
    page.get_by_label("Relearning attack").uncheck()
    page.get_by_label("Time limit, seconds").fill("")
    page.get_by_label("Images to train on").fill("many")
    page.get_by_role("button", name="Estimate").click()
    expect(page.get_by_label("Images to train on")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Images to train on").fill("2560")
    jobs = service.count("jobs")
    page.get_by_role("button", name="Estimate").click()
    expect(page.locator("#estimated")).to_contain_text("Total")
    expect(page.locator("#estimated")).to_contain_text("A first guess")
    assert service.count("jobs") == jobs
    page.get_by_role("button", name="Submit job").click()
    page.wait_for_url(re.compile(r"/jobs/job_"))
    old, new = (service.store.get(job_id).request for job_id in (before, page.url.rpartition("/")[2]))
    kept = [service.store.get(job_id).case for job_id in (before, page.url.rpartition("/")[2])]
    assert kept[0] == kept[1]
    assert new == {
        **old,
        "budget": {**old["budget"], "images": 2560, "seconds": None},
        "evaluation": {**old["evaluation"], "probes": []},
    }


def test_a_new_job_that_is_refused_says_so_beside_the_fields(service: Service, page: Page) -> None:
    before = service.count("jobs")
    page.goto(f"{service.url}/jobs/new")
    page.get_by_label("Override (drawn instead)").select_option(label="T-shirt")
    page.get_by_role("button", name="Submit job").click()
    override = page.get_by_label("Override (drawn instead)")
    expect(override).to_have_attribute("aria-invalid", "true")
    expect(override).to_be_focused()
    expect(page.locator("#wrong-0")).to_have_text("'T-shirt' would override itself: name another concept.")
    page.get_by_label("Images to train on").fill("many")
    page.get_by_role("button", name="Submit job").click()
    expect(page.get_by_label("Images to train on")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert")).to_contain_text("Please look at the marked fields.")
    assert service.count("jobs") == before
    page.get_by_label("Images to train on").fill("640")
    page.get_by_label("Override (drawn instead)").select_option(label="Trouser")
    page.get_by_role("button", name="Submit job").click()
    page.wait_for_url(re.compile(r"/jobs/job_"))
    assert service.count("jobs") == before + 1


def test_a_withheld_generator_is_shown_and_not_served(service: Service, page: Page, tmp_path: Path) -> None:
    generator_id = published(service, tmp_path, "fail")
    page.goto(f"{service.url}/generators")
    tile = page.get_by_role("listitem").filter(has_text=generator_id[-6:])
    expect(tile).to_contain_text("withheld")
    tile.get_by_role("link").click()
    why = page.locator(".notice")
    expect(why).to_contain_text("Withheld. Its verdict is fail, so it is neither sampled nor handed out:")
    expect(why.get_by_role("listitem")).to_have_text([f"Fail. {REASON[0].upper()}{REASON[1:]}."])
    expect(page.get_by_role("button", name="Draw")).to_have_count(0)
    expect(page.get_by_role("link", name="Download")).to_have_count(0)
    expect(page.get_by_role("link", name="Record")).to_be_visible()
    page.get_by_role("link", name="Job", exact=True).click()
    expect(page.locator(".notice")).to_contain_text(REASON[1:])


def test_an_administrator_releases_a_withheld_generator(service: Service, page: Page, tmp_path: Path) -> None:
    generator_id = published(service, tmp_path, "inconclusive")
    page.goto(f"{service.url}/generators/{generator_id}")
    reason = page.get_by_label("Reason")
    page.get_by_role("button", name="Release").click()  # the browser asks for a reason
    assert reason.evaluate("field => field.validity.valueMissing")
    reason.fill(" " * 20)  # enough for the browser, not for the service
    page.get_by_role("button", name="Release").click()
    expect(page.get_by_role("alert")).to_have_text("The reason must have at least 10 characters.")
    expect(reason).to_have_attribute("aria-invalid", "true")
    reason.fill("Looked at by hand.\nTicket <T-123>.")
    page.get_by_role("button", name="Release").click()
    expect(page.locator(".facts")).to_contain_text("released verdict inconclusive")
    why = page.locator(".notice.warn")
    expect(why).to_contain_text("Released although its verdict is inconclusive.")
    expect(why.get_by_role("blockquote")).to_have_text("Looked at by hand. Ticket <T-123>.")
    expect(why).to_contain_text(re.compile(r"By anybody on the service's machine .*, \d{4}-\d\d-\d\d .* UTC"))
    expect(why.get_by_role("listitem")).to_have_text([f"Inconclusive. {REASON[0].upper()}{REASON[1:]}."])
    expect(page.get_by_label("Reason")).to_have_count(0)
    expect(page.get_by_role("button", name="Draw")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Record").click()
    assert download.value.suggested_filename == f"{generator_id}-record.json"
    record = service.http.get(f"/v1/generators/{generator_id}/record").content
    assert Path(download.value.path()).read_bytes() == record
    page.goto(f"{service.url}/generators")
    tile = page.get_by_role("listitem").filter(has_text=generator_id[-6:])
    expect(tile).to_contain_text("released verdict inconclusive")


def test_samples_that_nobody_draws(service: Service, page: Page, tmp_path: Path) -> None:
    generator_id = published(service, tmp_path)
    page.goto(f"{service.url}/generators/{generator_id}")
    page.get_by_label("Images").fill("65")
    page.get_by_role("button", name="Draw").click()
    expect(page.get_by_label("Images")).to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize(("script", "name"), [("new-job.js", "Submit job"), ("samples.js", "Draw")])
def test_nothing_is_sent_before_the_script_is_there(
    service: Service, page: Page, tmp_path: Path, script: str, name: str
) -> None:
    """A form without its script loads the page anew, and what was filled in is gone."""
    url = f"{service.url}/jobs/new"
    if script == "samples.js":
        url = f"{service.url}/generators/{published(service, tmp_path)}"
    held: list[Route] = []
    page.route(f"**/{script}*", lambda route: held.append(route))
    with page.expect_request(f"**/{script}*"):
        page.goto(url, wait_until="commit")
    expect(page.get_by_role("button", name=name)).to_be_disabled()
    page.get_by_role("textbox").first.press("Enter")
    held[0].continue_()
    expect(page.get_by_role("button", name=name)).to_be_enabled()
    expect(page).to_have_url(url)


def test_what_is_not_there(service: Service, page: Page) -> None:
    page.goto(f"{service.url}/jobs/job_{'0' * 32}")
    expect(page.get_by_role("heading", name="There is no such job")).to_be_visible()


def test_signing_in(guarded: Service, page: Page, bearer: Callable[..., dict[str, str]]) -> None:
    secret = bearer("read", "submit")["Authorization"].split()[1]
    page.goto(f"{guarded.url}/jobs/new")
    page.get_by_label("API key").fill("lethe_nonsense")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("The API key is not known.")
    page.get_by_label("API key").fill(secret)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{guarded.url}/jobs/new")
    page.get_by_role("button", name="Submit job").click()
    page.wait_for_url(re.compile(r"/jobs/job_"))
    job_id = page.url.rsplit("/", 1)[1]
    train(guarded.store, job_id)  # the event stream knows the cookie, too
    expect(page.locator(".facts")).to_contain_text("running")
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key")).to_be_visible()
    page.goto(f"{guarded.url}/jobs/{job_id}")
    expect(page).to_have_url(f"{guarded.url}/login?next=/jobs/{job_id}")


def test_a_key_that_may_only_read(guarded: Service, page: Page, bearer: Callable[..., dict[str, str]]) -> None:
    job_id = submitted(guarded, bearer("submit"))
    page.goto(f"{guarded.url}/login?next=/jobs/{job_id}")
    page.get_by_label("API key").fill(bearer("read")["Authorization"].split()[1])
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".facts")).to_contain_text("queued")
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.get_by_role("link", name="New job")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_pages_fit_and_can_be_read(service: Service, browser: Browser, tmp_path: Path, width: int, scheme: str) -> None:
    generator_id = published(service, tmp_path)
    withheld = published(service, tmp_path, "fail")
    released = published(service, tmp_path, "fail")
    service.http.post(f"/v1/generators/{released}/release", json={"reason": "reviewed by hand " + "x" * 300})
    job_id = service.http.get(f"/v1/generators/{withheld}").json()["job"]
    submitted(service, case={"ticket": "T" * 100, "due_at": "2020-01-01T00:00:00Z"}, priority="urgent")
    pages = ["/", "/?overdue=yes", f"/jobs/{job_id}", "/jobs/new", "/generators", "/docs", "/nope"]
    pages += [f"/generators/{each}" for each in (generator_id, withheld, released)]
    deleted = published(service, tmp_path)
    why = {"reason": "the contract has ended " + "x" * 300}
    service.http.request("DELETE", f"/v1/generators/{deleted}", json=why).raise_for_status()
    pages += [f"/generators/{deleted}", f"/jobs/{job_id}/delete", f"/generators/{withheld}/delete"]
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    for path in pages:
        page.goto(service.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        assert page.evaluate(UNLABELLED) == [], path
        assert page.evaluate(FAINT) == [], path
        assert page.locator("h1").count() == 1
    context.close()


UNLABELLED = """
Array.from(document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a, img"))
  .filter((e) => !(e.labels?.length || e.textContent.trim() || e.alt !== undefined || e.getAttribute("aria-label")))
  .map((e) => e.outerHTML)
"""
"""Controls without a name, and pictures without an alternative."""

FAINT = """
(() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return Array.from(canvas.getImageData(0, 0, 1, 1).data);
  };
  const luminance = ([r, g, b]) => [r, g, b]
    .map((v) => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (let at = e; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 220) return colour;
    }
    return [255, 255, 255, 255];
  };
  const faint = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = Array.from(e.childNodes).some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || e.disabled) continue;
    if (e.closest("svg, .sr-only, .skip, script, option")) continue;
    const [a, b] = [luminance(rgba(getComputedStyle(e).color)), luminance(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${e.className} ${e.textContent.trim().slice(0, 40)}`);
  }
  return faint;
})()
"""
"""Text with less contrast than WCAG 2 AA asks for (4.5 to 1)."""
