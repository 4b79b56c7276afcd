"""A real run of a tiny model whose generator does not pass: withheld with its reasons, released, sampled, taken home,
and its record checked without the service."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from client import Conflict, Lethe
from jobs.record import RecordMismatch, generate_key, load_public_key, verify
from jobs.record.signing import public_path_of
from jobs.settings import Settings
from local.services import Services
from tests.api.making import submitted
from tests.api.test_samples import sampler
from tests.support.serving import Service

__all__ = ["sampler"]

WHY = "A model that means nothing: nobody can be harmed by it."


@pytest.fixture(scope="module")
def settings(
    servers: Services, new_database: Callable[[], AbstractContextManager[str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """Settings with a base model that has weights, a key to sign with, and a broker's database of this module's own."""
    from tests.support.tiny_model import make_tiny_model

    folder: Path = tmp_path_factory.mktemp("released")
    make_tiny_model(folder / "models" / "tiny")
    generate_key(folder / "key")
    with new_database() as database_url:
        yield Settings(
            database_url=database_url,
            broker_url=servers.valkey.url.replace("virtual_host=0", "virtual_host=13"),
            data_dir=folder,
            bundled_models_dir=folder / "models",
            signing_key=folder / "key",
            sample_timeout_seconds=20,
            device="cpu",
        )


def run_as_a_worker(service: Service, folder: Path) -> str:
    """Submit a small job, run it here, and publish it as a worker does. The generator's id."""
    from worker.attempt import run
    from worker.publication import publication_of
    from worker.task import Task

    job_id = submitted(
        service,
        base_model="tiny",
        forget=[{"concept": "red", "override": "blue"}],
        budget={"images": 32},
        evaluation={"images_per_concept": 20, "images_per_forgotten_concept": 20},
        recipe={"batch": 8, "forgotten_share": 0.25, "lr_generator": 1e-3},
    )
    claim = service.store.claim(job_id, "worker-1", 600)
    assert claim is not None
    model = service.app.state.services.models["tiny"]
    task = Task(dict(claim.job.request), str(model.folder), str(folder / "checkpoints"), [], 1000, "cpu", 1)
    assert run(task, folder, threading.Event()) == 0
    signer = service.settings.signer()
    publication = publication_of(service.artifacts, claim.job, 1, model, folder, signer, lambda: None)
    job = service.store.publish(job_id, 1, publication)
    assert job.generator_id is not None
    return job.generator_id


@pytest.mark.usefixtures("sampler")
def test_withheld_released_and_checked(service: Service, tmp_path: Path) -> None:
    (tmp_path / "attempt").mkdir()
    generator_id = run_as_a_worker(service, tmp_path / "attempt")
    key = load_public_key(public_path_of(service.settings.data_dir / "key"))
    with Lethe(service.url) as lethe:
        generator = lethe.generator(generator_id)
        assert (generator.status, generator.verdict) in {("withheld", "fail"), ("withheld", "inconclusive")}
        report = lethe.report(generator.job or "")
        Draft202012Validator(service.http.get("/v1/report-schema").json()).validate(report.raw)
        against = [criterion.reason for criterion in report.criteria if criterion.decision != "pass"]
        refusals = (lambda: lethe.sample(generator_id, "red"), lambda: lethe.download(generator_id, tmp_path / "early"))
        for refused in refusals:
            with pytest.raises(Conflict) as conflict:
                refused()
            assert conflict.value.extra["reasons"] == against
            assert all(reason in conflict.value.detail for reason in against)
        before = verify(lethe.record(generator_id), [key])
        assert before.predicate["release"] is None

        assert lethe.release(generator_id, WHY).verdict == generator.verdict
        assert lethe.sample(generator_id, "red", n=2)[0].startswith(b"\x89PNG")
        archive = lethe.download(generator_id, tmp_path / "generator.zip")
        with zipfile.ZipFile(archive) as files:
            files.extractall(tmp_path / "generator")
        folder = lethe.download(generator_id, tmp_path / "unpacked")
    text = (folder / "unlearning-record.json").read_text()
    for each in (folder, tmp_path / "generator"):
        verified = verify(text, [key], each)
        assert verified.key_id == key.keyid
        assert verified.predicate["release"]["reason"] == WHY
        assert verified.predicate["verdict"] == generator.verdict
    (folder / "evaluation" / "report.html").write_bytes(b"<h1>pass</h1>")
    with pytest.raises(RecordMismatch, match=r"evaluation/report\.html"):
        verify(text, [key], folder)
