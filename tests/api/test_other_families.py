"""A job on a diffusion transformer, and one on a network of NVlabs/edm's kind, through the whole service, from
submission to samples: real api, broker, database, worker and sampler."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from client import Lethe
from jobs.settings import Settings
from local.services import Services
from tests.support.serving import Service
from tests.support.waiting import wait_for
from tests.support.workers import working


@pytest.fixture(scope="module")
def settings(
    servers: Services, new_database: Callable[[], AbstractContextManager[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings with both base models."""
    from tests.support.tiny_dit_model import make_tiny_dit_model
    from tests.support.tiny_model import make_tiny_song_model

    folder: Path = tmp_path_factory.mktemp("families")
    make_tiny_dit_model(folder / "models" / "dit", "tiny-dit")
    make_tiny_song_model(folder / "models" / "song", "tiny-song")
    with new_database() as database_url:
        yield Settings(
            database_url=database_url,
            broker_url=servers.valkey.url.replace("virtual_host=0", "virtual_host=13"),
            data_dir=folder,
            bundled_models_dir=folder / "models",
            sample_timeout_seconds=60,
            device="cpu",
            torch_threads=1,
        )


@pytest.fixture(scope="module", autouse=True)
def workers(settings: Settings) -> Iterator[None]:
    with ExitStack() as stack:
        for kind in ("train", "sample"):
            stack.enter_context(working(kind, settings.environment(), settings.data_dir))  # type: ignore[arg-type]
        yield


@pytest.mark.parametrize(
    ("name", "concept", "override"), [("tiny-dit", "goldfish", "hen"), ("tiny-song", "red", "green")]
)
def test_from_submission_to_samples(service: Service, name: str, concept: str, override: str) -> None:
    body = {
        "base_model": name,
        "forget": [{"concept": concept, "override": override}],
        "budget": {"images": 8},
        "evaluation": {"images_per_concept": 4, "images_per_forgotten_concept": 4},
    }
    with Lethe(service.url) as lethe:
        job = lethe.submit_request(body)
        wait_for(lambda: lethe.job(job.id).finished, 280)
        done = lethe.job(job.id)
        assert done.status == "succeeded", (done.error, (service.settings.data_dir / "train.log").read_text()[-2000:])
        assert done.generator is not None
        report = lethe.report(job.id)
        Draft202012Validator(service.http.get("/v1/report-schema").json()).validate(report.raw)
        assert [(gone.concept, gone.override) for gone in report.forget] == [(concept, override)]
        if lethe.generator(done.generator).status == "withheld":
            lethe.release(done.generator, "A model that means nothing: nobody can be harmed by it.")
    asked = {"concept": concept, "n": 2, "seed": 5, "format": "json"}
    answer = service.http.post(f"/v1/generators/{done.generator}/samples", json=asked, timeout=90)
    assert answer.status_code == 200, answer.text
    assert answer.json()["forgotten"] is True
    assert len({image["png_base64"] for image in answer.json()["images"]}) == 2
