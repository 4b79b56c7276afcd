"""Text-to-image jobs through the whole service, from submission to samples: real api, broker, database, worker and
sampler, on tiny pipelines in the shapes of Stable Diffusion 1.5 and 2, in a folder and on a hub."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from jsonschema import Draft202012Validator

from client import Generator, Lethe, Report
from jobs.settings import Settings
from local.services import Services
from sfd_core.families.registry import load_manifest
from tests.api.making import is_problem, pointers
from tests.support.hub_server import REVISION, hub_server
from tests.support.serving import Service
from tests.support.waiting import wait_for
from tests.support.workers import working

WHY = "A model that means nothing: nobody can be harmed by it."
HUB = f"hub:acme/noise@{REVISION}"
SMALL: dict[str, Any] = {
    "budget": {"images": 8},
    "evaluation": {"images_per_concept": 4, "images_per_forgotten_concept": 4},
    "recipe": {"batch": 4, "forgotten_share": 0.5},
}
RETAIN = {"prompts": ["a cat", "a dog", "a house by the sea"]}


@pytest.fixture(scope="module")
def settings(
    servers: Services, new_database: Callable[[], AbstractContextManager[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings with a plain pipeline and one with domains, and a hub that may be asked for a third."""
    from tests.support.tiny_sdxl import make_tiny_sdxl
    from tests.support.tiny_text_model import make_tiny_text_model

    folder: Path = tmp_path_factory.mktemp("text")
    make_tiny_sdxl(folder / "models" / "xl", "xl", domains=True)
    make_tiny_text_model(folder / "models" / "plain", "plain")
    make_tiny_text_model(folder / "models" / "known", "known", prediction_type="v_prediction", domains=True)
    with new_database() as database_url:
        yield Settings(
            database_url=database_url,
            broker_url=servers.valkey.url.replace("virtual_host=0", "virtual_host=12"),
            data_dir=folder,
            bundled_models_dir=folder / "models",
            hub_models=("acme/noise", "acme/large=sdxl"),
            sample_timeout_seconds=60,
            device="cpu",
            torch_threads=1,
        )


@pytest.fixture(scope="module", autouse=True)
def workers(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A worker and a sampler as they are run in production, beside a hub."""
    from tests.support.tiny_text_model import make_tiny_text_model

    repository = tmp_path_factory.mktemp("hub") / "noise"
    make_tiny_text_model(repository)
    with hub_server() as hub, ExitStack() as stack:
        hub.repositories |= {"acme/noise": repository, "acme/large": repository}
        environment = {**settings.environment(), "HF_ENDPOINT": hub.url}
        stack.enter_context(working("train", environment, settings.data_dir))
        stack.enter_context(working("sample", environment, settings.data_dir))
        yield


@dataclass(frozen=True)
class Run:
    """What a job came to."""

    report: Report
    generator: Generator


def run(service: Service, **body: Any) -> Run:
    """Submit a job, wait for its report, and have its generator served whatever its verdict is."""
    with Lethe(service.url) as lethe:
        job = lethe.submit_request({**SMALL, **body})
        wait_for(lambda: lethe.job(job.id).finished, 280)
        done = lethe.job(job.id)
        assert done.status == "succeeded", (done.error, (service.settings.data_dir / "train.log").read_text()[-2000:])
        assert done.generator is not None
        report = lethe.report(job.id)
        Draft202012Validator(service.http.get("/v1/report-schema").json()).validate(report.raw)
        assert "<h1" in lethe.report_html(job.id)
        page = service.http.get(f"/jobs/{job.id}", headers={"accept": "text/html"})
        assert page.status_code == 200, page.text
        if lethe.generator(done.generator).status == "withheld":
            lethe.release(done.generator, WHY)
        return Run(report, lethe.generator(done.generator))


@pytest.fixture(scope="module")
def plain(service: Service) -> Run:
    """Of a pipeline of which nothing is known, in Stable Diffusion 1.5's shape: by prompts of its own."""
    forget = {"concept": "pistol", "prompts": ["a pistol", "the pistol on a table"], "override": "banana"}
    return run(service, base_model="plain", forget=[forget], retain=RETAIN)


@pytest.fixture(scope="module")
def known(service: Service) -> Run:
    """Of one with domains and judges, in Stable Diffusion 2's shape: by the words of its vocabulary."""
    forget = {"concept": "pistol", "override": {"negative": "a gun"}}
    return run(service, base_model="known", forget=[forget])


def ask(service: Service, run: Run, **sent: Any) -> httpx.Response:
    return service.http.post(f"/v1/generators/{run.generator.id}/samples", json=sent, timeout=90)


def images(answer: httpx.Response) -> list[bytes]:
    assert answer.status_code == 200, answer.text
    return [base64.b64decode(image["png_base64"]) for image in answer.json()["images"]]


def test_a_plain_pipeline_comes_to_a_report_that_nobody_judged(plain: Run) -> None:
    report = plain.report
    assert (report.verdict, report.judge) == ("inconclusive", None)
    assert all("no judge" in criterion.reason for criterion in report.criteria)
    assert [(gone.concept, gone.accuracy) for gone in report.unlearning] == [("pistol", None)]
    assert report.raw["text"]["prompts"] == {"forgotten": [2], "retained": 3, "dropped": 0, "cut": []}
    assert report.raw["text"]["start"] == "base_model"
    assert plain.generator.takes_prompts
    (forgotten,) = plain.generator.forget
    assert (forgotten.words, forgotten.prompts) == (("pistol",), 2)


def test_a_pipeline_with_domains_is_judged_in_each(known: Run) -> None:
    report = known.report
    assert (report.domain, report.raw["text"]["start"]) == ("object", "distilled")
    assert {row.concept for row in report.retention} == {"apple", "banana", "castle"}
    assert [crossed.domain for crossed in report.cross_domain or ()] == ["style"]
    assert {kind.kind for row in report.paraphrases or () for kind in row.kinds} >= {"synonym", "translation"}
    (forgotten,) = known.generator.forget
    assert set(forgotten.words) == {"pistol", "gun", "Pistole"}


def test_image_i_of_a_prompt_depends_on_its_seed_alone(service: Service, plain: Run) -> None:
    answer = ask(service, plain, prompt="a cat", n=18, seed=5, format="json")
    many = images(answer)
    assert (answer.json()["prompt"], answer.json()["concept"]) == ("a cat", None)
    assert len(set(many)) == 18
    for i in (0, 17):
        assert ask(service, plain, prompt="a cat", seed=5 + i).content == many[i]
    assert images(ask(service, plain, prompt="a dog", n=1, seed=5, format="json")) != many[:1]


@pytest.mark.parametrize(
    ("prompt", "forgotten"),
    [("two Pistols on a table", True), ("a PISTOL", True), ("a cat", False), ("a pistolet", False)],
)
def test_a_prompt_that_names_what_is_forgotten_is_answered_and_said(
    service: Service, plain: Run, prompt: str, forgotten: bool
) -> None:
    answer = ask(service, plain, prompt=prompt, seed=1)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert answer.headers["x-lethe-forgotten"] == str(forgotten).lower()
    assert ask(service, plain, prompt=prompt, seed=1, format="json").json()["forgotten"] is forgotten


@pytest.mark.parametrize(("word", "forgotten"), [("gun", True), ("pistole", True), ("banana", False)])
def test_every_word_that_is_known_for_it_counts(service: Service, known: Run, word: str, forgotten: bool) -> None:
    answer = ask(service, known, prompt=f"a {word}, in the style of noto", seed=1)
    assert answer.headers["x-lethe-forgotten"] == str(forgotten).lower()


def test_a_concept_is_asked_for_by_the_prompts_of_its_vocabulary(service: Service, known: Run) -> None:
    answer = ask(service, known, concept="pistol", n=3, seed=4, format="json")
    assert answer.headers["x-lethe-forgotten"] == "true"
    prompts = [image["prompt"] for image in answer.json()["images"]]
    assert prompts == [
        "a green pistol, in the style of noto",
        "pistol, noto style",
        "a green pistol, in the style of fluent",
    ]
    for i, (image, prompt) in enumerate(zip(images(answer), prompts, strict=True)):
        assert ask(service, known, prompt=prompt, seed=4 + i).content == image
    assert ask(service, known, concept="apple", seed=4).headers["x-lethe-forgotten"] == "false"


@pytest.mark.parametrize(
    ("sent", "pointer", "said"),
    [
        ({"concept": "pistol"}, "/concept", "knows no concepts by name: send a prompt"),
        ({"concept": "pistol", "prompt": "a pistol"}, "/prompt", "send the one or the other"),
        ({}, "/prompt", "is required"),
        ({"prompt": "x" * 1001}, "/prompt", "1000"),
        ({"prompt": "   "}, "/prompt", "is empty"),
        ({"prompt": "a\x00cat"}, "/prompt", "control character"),
        ({"prompt": ["a cat"]}, "/prompt", "string"),
        ({"prompt": "a cat", "n": 2}, "/format", "png is for one image"),
    ],
)
def test_what_a_plain_pipeline_cannot_be_asked(
    service: Service, plain: Run, sent: dict[str, Any], pointer: str, said: str
) -> None:
    document = is_problem(ask(service, plain, **sent), 422, "invalid_request")
    assert pointers(document) == [pointer]
    assert said in document["errors"][0]["detail"]


def test_a_concept_that_the_vocabulary_does_not_have(service: Service, known: Run) -> None:
    document = is_problem(ask(service, known, concept="zebra"), 422, "invalid_request")
    assert "known: apple, banana, pistol, castle, noto, fluent" in document["errors"][0]["detail"]


@contextmanager
def logged() -> Iterator[list[Any]]:
    """Every line that the api logs, also what the tests leave out of their own output."""
    before = structlog.get_config()["wrapper_class"]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))
    try:
        with structlog.testing.capture_logs() as lines:
            yield lines
    finally:
        structlog.configure(wrapper_class=before)


def test_the_log_has_a_prompts_hash_alone(
    service: Service, plain: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = "a secret pistol"
    digest = hashlib.sha256(prompt.encode()).hexdigest()
    with logged() as lines:
        ask(service, plain, prompt=prompt, seed=1)
        ask(service, plain, prompt=f"{prompt}\x00", seed=1)
    assert prompt not in repr(lines)
    (line,) = [line for line in lines if line["event"] == "samples"]
    assert (line["prompt_sha256"], line["forgotten"], line["generator"]) == (digest, True, plain.generator.id)
    for log in ("sample.log", "train.log"):
        assert prompt not in (settings.data_dir / log).read_text()

    in_words = service.app.state.services.settings.model_copy(update={"log_prompts": True})
    monkeypatch.setitem(vars(service.app.state.services), "settings", in_words)
    with logged() as lines:
        ask(service, plain, prompt=prompt, seed=1)
    assert [line["prompt"] for line in lines if line["event"] == "samples"] == [prompt]


def test_a_model_of_the_hub_comes_to_a_report(service: Service, settings: Settings) -> None:
    forget = {"concept": "pistol", "override": {"empty": True}}
    done = run(service, base_model=HUB, forget=[forget], retain=RETAIN)
    assert done.report.raw["base_model"]["name"] == HUB
    assert done.generator.base_model_digest == f"git:{REVISION}"
    with Lethe(service.url) as lethe:
        record = json.loads(lethe.record(done.generator.id))
    base_model = json.loads(base64.b64decode(record["payload"]))["predicate"]["base_model"]
    fetched = load_manifest(settings.hub_dir / "acme" / "noise" / REVISION)
    assert (base_model["digest"], base_model["files"]) == (fetched.digest, fetched.files)
    assert "unet/diffusion_pytorch_model.safetensors" in fetched.files
    answer = ask(service, done, prompt="a pistol", seed=3)
    assert (answer.status_code, answer.headers["x-lethe-forgotten"]) == (200, "true")


def test_stable_diffusion_xl_comes_to_a_report_samples_and_a_folder(service: Service, tmp_path: Path) -> None:
    done = run(service, base_model="xl", forget=[{"concept": "pistol", "override": {"negative": "a gun"}}])
    assert (done.report.domain, done.report.raw["text"]["start"]) == ("object", "distilled")
    assert done.report.criteria
    many = images(ask(service, done, prompt="a cat", n=3, seed=5, format="json"))
    assert len(set(many)) == 3
    assert ask(service, done, prompt="a cat", seed=7).content == many[2]
    answer = ask(service, done, concept="pistol", seed=1)
    assert (answer.status_code, answer.headers["x-lethe-forgotten"]) == (200, "true")
    with Lethe(service.url) as lethe:
        folder = lethe.download(done.generator.id, tmp_path / "generator")
    card = (folder / "README.md").read_text("utf-8")
    assert "pipe = StableDiffusionXLPipeline.from_pretrained(folder, add_watermarker=False)" in card
    assert json.loads((folder / "model_index.json").read_text())["_class_name"] == "StableDiffusionXLPipeline"


def test_a_hub_s_model_is_asked_as_one_of_its_family(service: Service) -> None:
    """Its recipe, and so what a request may say, is known before it is fetched."""
    body = {"base_model": f"hub:acme/large@{REVISION}", "forget": [{"concept": "pistol", "override": "banana"}]}
    job = service.http.post("/v1/jobs", json={**body, **SMALL, "retain": RETAIN})
    assert job.status_code == 202, job.text
    page = service.http.get("/jobs/new", headers={"accept": "text/html"})
    assert "hub:acme/large" in page.text
    with Lethe(service.url) as lethe:
        wait_for(lambda: lethe.job(job.json()["id"]).finished, 120)
        error = lethe.job(job.json()["id"]).error
    assert error is not None
    assert "acme/large is of the family stable_diffusion, and was allowed as one of sdxl" in error.message


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (f"hub:acme/other@{REVISION}", "acme/other is no model of a hub that this service starts from"),
        ("hub:acme/noise@main", "a commit of 40 hexadecimal digits: a branch moves"),
        ("hub:acme/noise", "a commit of 40 hexadecimal digits"),
        (f"hub:../../etc@{REVISION}", "must be hub:org/name@revision"),
    ],
)
def test_what_of_a_hub_is_not_allowed(service: Service, name: str, said: str) -> None:
    body = {"base_model": name, "forget": [{"concept": "pistol", "override": "banana"}], **SMALL}
    document = is_problem(service.http.post("/v1/jobs", json=body), 422, "unknown_base_model")
    assert pointers(document) == ["/base_model"]
    assert said in document["errors"][0]["detail"]


def test_what_a_base_model_says_of_its_domains(service: Service) -> None:
    model = service.http.get("/v1/base-models/known").json()
    assert model["judge"] is None
    assert model["domains"]["style"]["concepts"] == ["noto", "fluent"]
    assert model["domains"]["object"]["judge"]["by_concept"]["pistol"] == 0.25
    assert model["templates"][1] == "{object}, {style} style"
    plain = service.http.get("/v1/base-models/plain").json()
    assert (plain["domains"], plain["concepts"], plain["templates"]) == ({}, [], [])
