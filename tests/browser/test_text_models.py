"""The dashboard on text-to-image models: a job by words and prompts, a model of a hub, samples of a prompt."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from jobs.settings import Settings
from local.services import Services
from tests.api.making import publish, submitted, train
from tests.api.test_samples import sampler
from tests.support.hub_server import REVISION
from tests.support.serving import Service, write_manifest

__all__ = ["sampler"]


@pytest.fixture(scope="module")
def settings(
    servers: Services, new_database: Callable[[], AbstractContextManager[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings with a class-conditional model, a text-to-image model with domains, and a hub's."""
    from tests.support.tiny_text_model import make_tiny_text_model

    folder: Path = tmp_path_factory.mktemp("text")
    write_manifest(folder / "models")
    make_tiny_text_model(folder / "models" / "known", "known", domains=True)
    with new_database() as database_url:
        yield Settings(
            database_url=database_url,
            broker_url=servers.valkey.url.replace("virtual_host=0", "virtual_host=11"),
            data_dir=folder,
            bundled_models_dir=folder / "models",
            hub_models=("acme/noise",),
            sample_timeout_seconds=60,
            device="cpu",
        )


def new_job(service: Service, page: Page, model: str) -> None:
    page.goto(f"{service.url}/jobs/new")
    page.get_by_label("Base model").select_option(model)
    page.get_by_label("Images to train on").fill("1280")


def submit(service: Service, page: Page) -> dict[str, object]:
    """Send the form; the request of the job that it makes, whose page is then open."""
    page.get_by_role("button", name="Submit job").click()
    page.wait_for_url(re.compile(r"/jobs/job_"))
    return dict(service.store.get(page.url.rsplit("/", 1)[1]).request)


def test_a_job_by_words_and_prompts(service: Service, page: Page) -> None:
    new_job(service, page, "known")
    page.get_by_label("Forget", exact=True).fill("pistol")
    page.get_by_label("Words in its place").fill("a ripe banana")
    page.get_by_text("Its words and prompts").click()
    page.get_by_label("Words that name it").fill("pistol, handgun")
    page.get_by_label("Prompts that forget it").fill("a pistol\n\na handgun on a table")
    page.get_by_role("button", name="Forget another concept").click()
    page.get_by_label("Forget", exact=True).nth(1).fill("castle")
    page.get_by_label("Override (drawn instead)").nth(1).select_option(
        label="The prompt without the concept, with a negative prompt"
    )
    page.get_by_label("Away from").fill("old stones")
    page.get_by_label("Prompts to retain").fill("a cat\na dog")
    page.get_by_text("Thresholds, evaluation and seed").click()
    page.get_by_label("Largest allowed drop in other domains").fill("0.04")
    expect(page.get_by_label("Concept inversion")).to_be_hidden()
    expect(page.get_by_label("Token search")).to_be_visible()
    request = submit(service, page)
    assert request["forget"] == [
        {
            "concept": "pistol",
            "override": "a ripe banana",
            "words": ["pistol", "handgun"],
            "prompts": ["a pistol", "a handgun on a table"],
        },
        {"concept": "castle", "override": {"negative": "old stones"}},
    ]
    assert request["retain"] == {"prompts": ["a cat", "a dog"]}
    assert request["thresholds"]["cross_domain_accuracy_drop"] == 0.04  # type: ignore[index]
    expect(page.get_by_role("heading", level=1)).to_contain_text("away from “old stones”")
    asked = page.locator("section", has=page.get_by_role("heading", name="Request"))
    expect(asked).to_contain_text("by pistol, handgun; 2 prompts of its own")
    expect(asked).to_contain_text("2 prompts of its own")


@pytest.mark.parametrize(
    ("how", "override"),
    [
        ("A random concept of its kind", {"random": True}),
        ("The empty prompt", {"empty": True}),
        ("One of a list of prompts", {"prompts": ["a bowl of fruit", "a glass of water"]}),
    ],
)
def test_other_ways_to_answer(service: Service, page: Page, how: str, override: dict[str, object]) -> None:
    new_job(service, page, "known")
    page.get_by_label("Forget", exact=True).fill("pistol")
    page.get_by_label("Override (drawn instead)").select_option(label=how)
    if "prompts" in override:
        page.get_by_label("Prompts, one a line").fill("a bowl of fruit\na glass of water\n")
    assert submit(service, page)["forget"] == [{"concept": "pistol", "override": override}]


def test_words_outside_the_vocabulary_are_taken_where_that_is_said(service: Service, page: Page) -> None:
    new_job(service, page, "known")
    concept = page.get_by_label("Forget", exact=True)
    concept.fill("pistl")
    page.get_by_label("Words in its place").fill("banana")
    page.get_by_role("button", name="Submit job").click()
    expect(concept).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".wrong").first).to_contain_text("did you mean 'pistol'?")
    page.get_by_text("Its words and prompts").click()
    page.get_by_label("Use words outside the model’s vocabulary, exactly as spelt").check()
    page.get_by_label("Training ends").select_option("budget")  # no judge knows it
    item = {"concept": "pistl", "override": "banana", "outside_vocabulary": True}
    assert submit(service, page)["forget"] == [item]


def test_what_is_wrong_in_a_list_is_said_beside_it(service: Service, page: Page) -> None:
    new_job(service, page, "known")
    page.get_by_label("Forget", exact=True).fill("pistol")
    page.get_by_label("Words in its place").fill("two pistols")
    page.get_by_label("Prompts to retain").fill("a cat\na dog\na cat")
    page.get_by_role("button", name="Submit job").click()
    override, kept = page.get_by_label("Words in its place"), page.get_by_label("Prompts to retain")
    expect(override).to_have_attribute("aria-invalid", "true")
    expect(override).to_be_focused()
    expect(kept).to_have_attribute("aria-invalid", "true")
    expect(page.locator(".wrong").nth(1)).to_have_text("number 3: the same as number 1")


def test_a_model_of_the_hub_takes_a_commit(service: Service, page: Page) -> None:
    new_job(service, page, "hub:acme/noise")
    page.get_by_label("Forget", exact=True).fill("brad pitt")
    page.get_by_label("Words in its place").fill("a middle aged man")
    expect(page.get_by_label("Training ends")).to_be_hidden()  # nothing could check it
    page.get_by_label("Commit").fill("main")
    page.get_by_role("button", name="Submit job").click()
    expect(page.locator(".wrong")).to_contain_text("a commit of 40 hexadecimal digits: a branch moves")
    page.get_by_label("Commit").fill(REVISION)
    assert submit(service, page)["base_model"] == f"hub:acme/noise@{REVISION}"


def test_the_form_follows_the_model(service: Service, page: Page) -> None:
    new_job(service, page, "known")
    expect(page.get_by_label("Prompts to retain")).to_be_visible()
    expect(page.get_by_label("Commit")).to_be_hidden()
    page.get_by_label("Base model").select_option("fashion")
    expect(page.get_by_label("Prompts to retain")).to_be_hidden()
    page.get_by_label("Forget", exact=True).select_option(label="Sneaker")
    page.get_by_label("Override (drawn instead)").select_option(label="Sandal")
    request = submit(service, page)
    assert request["forget"] == [{"concept": "Sneaker", "override": "Sandal"}]
    assert "retain" not in request


def test_each_kind_of_model_has_its_own_attacks(service: Service, page: Page) -> None:
    new_job(service, page, "known")
    page.get_by_text("Thresholds, evaluation and seed").click()
    expect(page.get_by_label("Concept inversion")).to_be_hidden()
    page.get_by_label("Token search").check()
    page.get_by_label("Benign fine-tuning").check()
    page.get_by_label("Base model").select_option("fashion")
    expect(page.get_by_label("Token search")).to_be_hidden()
    expect(page.get_by_label("Concept inversion")).to_be_visible()
    page.get_by_label("Forget", exact=True).select_option(label="Sneaker")
    page.get_by_label("Override (drawn instead)").select_option(label="Sandal")
    assert submit(service, page)["evaluation"]["probes"] == ["benign_fine_tuning"], "what is hidden is not sent"


@pytest.mark.usefixtures("sampler")
def test_samples_of_a_prompt(service: Service, page: Page, tmp_path: Path) -> None:
    from sfd_core.families.loading import load_base
    from sfd_core.families.text.generator import TextGenerator

    base = load_base(service.app.state.services.models["known"])
    TextGenerator.of(base.network, base, 625).save(tmp_path / "generator")
    files = {
        path.relative_to(tmp_path / "generator").as_posix(): path.read_bytes()
        for path in (tmp_path / "generator").rglob("*")
        if path.is_file()
    }
    job_id = submitted(service, base_model="known", forget=[{"concept": "pistol", "override": "banana"}])
    (tmp_path / "stored").mkdir()
    attempt = train(service.store, job_id)
    generator_id = publish(service, job_id, attempt, tmp_path / "stored", generator_files=files)

    page.goto(f"{service.url}/generators/{generator_id}")
    asked = page.get_by_label("Ask for")
    expect(asked).to_have_value("a green pistol, in the style of noto")
    page.get_by_label("Images").fill("2")
    page.get_by_label("Seed").fill("40")
    page.get_by_role("button", name="Draw").click()
    drawn = page.locator("#drawn")
    expect(drawn).to_contain_text("2 images of a green pistol, in the style of noto, seed 40", timeout=60_000)
    expect(drawn).to_contain_text("It names what this generator has forgotten.")
    asked.fill("a cat")
    page.get_by_role("button", name="Draw").click()
    expect(drawn).to_contain_text("2 images of a cat, seed 40")
    expect(drawn).not_to_contain_text("forgotten")
    pictures = page.get_by_role("list", name="Samples").get_by_role("img")
    source = pictures.nth(1).get_attribute("src") or ""
    sent = {"prompt": "a cat", "seed": 41}
    alone = service.http.post(f"/v1/generators/{generator_id}/samples", json=sent)
    assert base64.b64decode(source.partition(",")[2]) == alone.content
    asked.fill("?!")
    page.get_by_role("button", name="Draw").click()
    expect(asked).to_have_attribute("aria-invalid", "true")
