"""What a worker publishes, fetched again and laid out as an archive, is what its record states."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import Engine

from jobs.artifacts import ArtifactStore
from jobs.generators import GeneratorStore
from jobs.job import Job, NewJob
from jobs.record import EVALUATION, RECORD, RecordMismatch, load_signer, read_statement, verify
from jobs.record.signing import generate_key
from jobs.settings import Settings, load_settings
from jobs.store import JobStore
from sfd_core.admission import admit
from sfd_core.base_model.manifest import BaseModel
from sfd_core.request.reading import written
from tests.record.case import BODY
from worker.attempt import run
from worker.publication import publication_of
from worker.task import Task


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    generate_key(tmp_path / "key")
    return load_settings({"signing_key": tmp_path / "key", "data_dir": tmp_path / "data"})


def _claimed(store: JobStore, model: BaseModel) -> Job:
    request = written(admit(BODY, model).request)
    job, _ = store.create(NewJob("acme", request, model.name, model.digest, metadata={"ticket": "T-9"}))
    claim = store.claim(job.id, "worker-1", 60)
    assert claim is not None
    return claim.job


def _trained(job: Job, model: BaseModel, folder: Path) -> Path:
    """What a training process leaves: run here, without the process."""
    folder.mkdir()
    task = Task(dict(job.request), str(model.folder), str(folder / "checkpoints"), [], 1000, "cpu", 1)
    assert run(task, folder, threading.Event()) == 0
    return folder


@pytest.mark.parametrize("signed", [True, False])
def test_the_archive_is_what_the_record_states(
    engine: Engine, tiny_model: BaseModel, settings: Settings, tmp_path: Path, signed: bool
) -> None:
    store, artifacts = JobStore(engine), ArtifactStore(settings.artifacts_url)
    job = _claimed(store, tiny_model)
    folder = _trained(job, tiny_model, tmp_path / "attempt")
    signer = settings.signer() if signed else None
    store.publish(job.id, 1, publication_of(artifacts, job, 1, tiny_model, folder, signer, lambda: None))

    generator = GeneratorStore(engine).for_job(job.id)
    report = GeneratorStore(engine).report(job.id)
    assert generator is not None
    archive = tmp_path / "archive"
    artifacts.fetch(generator.prefix, generator.files, archive)
    artifacts.fetch(report.prefix, report.files, archive / EVALUATION)
    text = cast(str, generator.record)
    (archive / RECORD).write_text(text)
    keys = [load_signer(tmp_path / "key").public_key]
    verified = verify(text, keys, archive, unsigned=not signed)
    assert verified.key_id == (keys[0].keyid if signed else None)
    assert verified.files == len(generator.files) + len(report.files)

    predicate = read_statement(text)["predicate"]
    assert (predicate["job"], predicate["attempt"]) == (job.id, 1)
    assert predicate["asked_by"] == {"tenant": "acme", "metadata": {"ticket": "T-9"}}
    assert predicate["request"] == job.request
    assert predicate["machine"] == json.loads((folder / "environment.json").read_text())["machine"]
    (archive / "unet" / "config.json").unlink()
    with pytest.raises(RecordMismatch, match=r"unet/config\.json: is missing"):
        verify(text, keys, archive, unsigned=not signed)
