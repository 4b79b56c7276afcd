"""Samples: a real sampler behind the broker, a real generator of a tiny model, and what happens where there is none."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from securesystemslib.signer import CryptoSigner

from jobs import tenants
from jobs.broker import QUEUE_SAMPLES, Broker, redis_client
from jobs.deleting import Order, delete_generator
from jobs.errors import Deleted
from jobs.generators import GeneratorStore
from jobs.record.certificates import authority_pem
from jobs.samples import SampleFailure, decode
from jobs.settings import Settings
from local.services import Services
from tests.api.making import is_problem, pointers, publish, submitted, train
from tests.support.serving import Service, serving
from tests.support.waiting import wait_for
from tests.support.workers import working
from tests.unit.worker.test_credentials import looked_at
from worker.credentials import ORIGIN, Credentials
from worker.sampler import Sampler

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def settings(
    servers: Services, new_database: Callable[[], AbstractContextManager[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings with a base model that has weights, and a broker's database that only this module uses."""
    from tests.support.tiny_model import make_tiny_model

    folder: Path = tmp_path_factory.mktemp("samples")
    make_tiny_model(folder / "models" / "tiny")
    with new_database() as database_url:
        yield Settings(
            database_url=database_url,
            broker_url=servers.valkey.url.replace("virtual_host=0", "virtual_host=14"),
            data_dir=folder,
            bundled_models_dir=folder / "models",
            sample_timeout_seconds=20,
            device="cpu",
        )


@pytest.fixture(scope="module")
def new_generator(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Publishes a generator: the tiny model's own network, asked once."""
    from sfd_core.families.class_unet.generator import OneStepGenerator
    from sfd_core.families.loading import load_base

    base = load_base(service.app.state.services.models["tiny"])
    folder = tmp_path_factory.mktemp("generator")
    OneStepGenerator.of(base.network, base.schedule, 440, base.model).save(folder)
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def make() -> str:
        job_id = submitted(service, base_model="tiny", forget=[{"concept": "red", "override": "blue"}])
        attempt = train(service.store, job_id)
        return publish(service, job_id, attempt, tmp_path_factory.mktemp("stored"), generator_files=files)

    return make


@pytest.fixture(scope="module")
def generator_id(new_generator: Callable[[], str]) -> str:
    """A published generator."""
    return new_generator()


@pytest.fixture(scope="module")
def sampler(settings: Settings) -> Iterator[None]:
    """The sampler as it is run in production: a Celery worker of its own."""
    with working("sample", settings.environment(), settings.data_dir):
        yield


def ask(service: Service, generator_id: str, **sent: Any) -> httpx.Response:
    """Ask for samples."""
    return service.http.post(f"/v1/generators/{generator_id}/samples", json={"concept": "red", **sent})


def test_a_deleted_generator_leaves_the_memory(
    settings: Settings, service: Service, new_generator: Callable[[], str]
) -> None:
    """Of the process that samples, at its reaper's next sweep: asked itself, whatever the api says."""
    from worker.sampler import Sampler

    sampler = Sampler(GeneratorStore(service.engine), service.artifacts, Broker(str(settings.broker_url)), "cpu")
    request = {"concept": "red", "n": 1, "seed": 5, "format": "png"}
    deleted, kept = new_generator(), new_generator()
    for generator in (deleted, kept):
        assert sampler.sample(generator, request).images[0].startswith(PNG)
    sampler.forget_deleted()
    delete_generator(service.engine, deleted, "default", Order("somebody", "no reason"))
    assert set(sampler.loaded) == {deleted, kept}, "control: it has both"
    sampler.forget_deleted()
    wait_for(lambda: set(sampler.loaded) == {kept}, 10)
    with pytest.raises(Deleted):
        sampler.sample(deleted, request)
    sampler.answer(deleted, request, "reply")
    with redis_client(str(settings.broker_url)) as broker:
        reply = decode(broker.lpop("reply"))  # type: ignore[arg-type]
    assert isinstance(reply, SampleFailure)
    assert reply.code == "deleted"
    assert sampler.sample(kept, request).images


@pytest.mark.parametrize(
    ("sent", "pointer"),
    [
        ({"concept": "purple"}, "/concept"),
        ({"concept": 3}, "/concept"),
        ({"n": 0}, "/n"),
        ({"n": 65}, "/n"),
        ({"n": "4"}, "/n"),
        ({"n": 2}, "/format"),
        ({"n": 2, "format": "png"}, "/format"),
        ({"format": "gif"}, "/format"),
        ({"seed": -1}, "/seed"),
        ({"seed": 2**32}, "/seed"),
        ({"seed": 2**32 - 1, "n": 2, "format": "json"}, "/seed"),
        ({"prompt": "a red thing"}, "/prompt"),
    ],
)
def test_a_request_that_is_wrong(service: Service, generator_id: str, sent: dict[str, Any], pointer: str) -> None:
    document = is_problem(ask(service, generator_id, **sent), 422, "invalid_request")
    assert pointers(document) == [pointer]
    if sent == {"concept": "purple"}:
        assert "known: red, green, blue, grey" in document["errors"][0]["detail"]


@pytest.mark.usefixtures("sampler")
def test_one_image(service: Service, generator_id: str) -> None:
    answer = ask(service, generator_id, seed=5)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    assert answer.content.startswith(PNG)
    assert (answer.headers["x-lethe-seed"], answer.headers["x-lethe-generator"]) == ("5", generator_id)
    assert answer.content == ask(service, generator_id, seed=5).content


@pytest.mark.usefixtures("sampler")
def test_an_image_says_what_has_made_it(service: Service, generator_id: str) -> None:
    record = service.http.get(f"/v1/generators/{generator_id}/record").content
    signer = CryptoSigner.generate_ed25519()
    parts = (GeneratorStore(service.engine), service.artifacts, Broker("redis://127.0.0.1:1/0"), "cpu")
    quiet, signing = Sampler(*parts, mark_images=False), Sampler(*parts, credentials=Credentials(signer))
    for sent in ({"n": 1, "format": "png"}, {"n": 4, "format": "grid"}):
        with Image.open(io.BytesIO(ask(service, generator_id, seed=5, **sent).content)) as shown:
            said = {"Lethe-Generator": generator_id, "Lethe-Record-SHA256": hashlib.sha256(record).hexdigest()}
            assert said.items() <= shown.info.items()
            assert b"trainedAlgorithmicMedia" in shown.info["xmp"]
            (unmarked,) = quiet.sample(generator_id, {"concept": "red", "seed": 5, **sent}).images
            with Image.open(io.BytesIO(unmarked)) as plain:
                assert plain.info == {}, "as LETHE_MARK_IMAGES=0 has it"
                assert plain.tobytes() == shown.tobytes()
            (signed,) = signing.sample(generator_id, {"concept": "red", "seed": 5, **sent}).images
            state, wrong, found = looked_at(signed, authority_pem(signer))
            assert (state, wrong, found[ORIGIN]) == ("Trusted", [], said)
            with Image.open(io.BytesIO(signed)) as credited:
                assert (credited.tobytes(), credited.info) == (shown.tobytes(), shown.info)


@pytest.mark.usefixtures("sampler")
def test_image_i_depends_on_its_seed_alone(service: Service, generator_id: str) -> None:
    answer = ask(service, generator_id, n=20, seed=5, format="json").json()
    assert (answer["object"], answer["concept"], answer["generator"]) == ("samples", "red", generator_id)
    assert [(image["index"], image["seed"]) for image in answer["images"]] == [(i, 5 + i) for i in range(20)]
    images = [base64.b64decode(image["png_base64"]) for image in answer["images"]]
    assert len(set(images)) == 20
    for i in (0, 7, 19):
        assert ask(service, generator_id, seed=5 + i).content == images[i]


@pytest.mark.usefixtures("sampler")
def test_an_answer_tells_the_quota_behind_it(service: Service, generator_id: str) -> None:
    tenants.limit(service.engine, "default", {"samples_per_minute": 1000})
    try:
        for sent in ({}, {"n": 4, "format": "json"}):
            answer = ask(service, generator_id, **sent)
            assert answer.headers["ratelimit-policy"] == '"samples_per_minute";q=1000;qu="images";w=60'
            assert re.fullmatch(r'"samples_per_minute";r=\d+;t=\d+', answer.headers["ratelimit"])
    finally:
        tenants.limit(service.engine, "default", {"samples_per_minute": None})
    assert "ratelimit" not in ask(service, generator_id).headers


@pytest.mark.usefixtures("sampler")
def test_a_grid_is_one_picture(service: Service, generator_id: str) -> None:
    answer = ask(service, generator_id, n=9, format="grid", concept="blue")
    assert answer.headers["content-type"] == "image/png"
    assert answer.content.startswith(PNG)
    width = int.from_bytes(answer.content[16:20], "big")
    assert width > 3 * 8


@pytest.mark.usefixtures("sampler")
def test_a_concept_that_was_forgotten_is_answered_and_said(service: Service, generator_id: str) -> None:
    for concept, forgotten in (("red", True), ("blue", False)):
        answer = ask(service, generator_id, concept=concept, format="json")
        assert answer.headers["x-lethe-forgotten"] == str(forgotten).lower()
        assert (answer.json()["forgotten"], answer.json()["prompt"]) == (forgotten, None)


def test_nothing_and_prompts_cannot_be_asked_for(service: Service, generator_id: str) -> None:
    path = f"/v1/generators/{generator_id}/samples"
    document = is_problem(service.http.post(path, json={}), 422, "invalid_request")
    assert pointers(document) == ["/concept"]
    document = is_problem(service.http.post(path, json={"prompt": "a red thing"}), 422, "invalid_request")
    assert pointers(document) == ["/prompt"]
    assert document["errors"][0]["detail"] == "this generator has no prompts: send a concept of its base model"


@pytest.mark.usefixtures("sampler")
def test_a_seed_that_is_drawn_is_in_the_answer(service: Service, generator_id: str) -> None:
    first, second = (ask(service, generator_id) for _ in range(2))
    seeds = [int(answer.headers["x-lethe-seed"]) for answer in (first, second)]
    assert seeds[0] != seeds[1]
    assert all(0 <= seed < 2**32 for seed in seeds)
    assert ask(service, generator_id, seed=seeds[0]).content == first.content
    largest = ask(service, generator_id, seed=2**32 - 1)
    assert largest.headers["x-lethe-seed"] == str(2**32 - 1)


def test_nobody_answers(settings: Settings, tmp_path: Path, generator_id: str) -> None:
    alone = settings.model_copy(
        update={"sample_timeout_seconds": 0.2, "broker_url": str(settings.broker_url).replace("=14", "=15")}
    )
    with serving(alone) as service:
        document = is_problem(ask(service, generator_id), 503, "samples_unavailable")
        assert "0.2 s" in document["detail"]


def test_too_many_wait(settings: Settings, generator_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.main.WAITING_FOR_SAMPLES", 3)
    alone = settings.model_copy(
        update={"sample_timeout_seconds": 2, "broker_url": str(settings.broker_url).replace("=14", "=15")}
    )
    with serving(alone) as service, ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: ask(service, generator_id), range(12)))
        codes = [answer.json()["code"] for answer in answers]
        assert codes.count("samples_unavailable") == 3
        assert codes.count("too_many") == 9
        is_problem(answers[codes.index("too_many")], 429, "too_many")
        # Those who wait for samples keep nobody else from an answer.
        assert Broker(str(alone.broker_url)).queue_length(QUEUE_SAMPLES) > 0


def test_a_broker_that_is_away(settings: Settings, tmp_path: Path, generator_id: str) -> None:
    alone = settings.model_copy(update={"broker_url": f"redis+socket://{tmp_path}/none.sock?virtual_host=0"})
    with serving(alone) as service:
        is_problem(ask(service, generator_id), 503, "service_unavailable")
