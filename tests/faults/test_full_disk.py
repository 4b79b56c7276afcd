"""A full disk costs a job time, nothing else: it waits, goes on by itself, and is published once."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Engine

from jobs.job import Job
from processes.forking import ForkServer
from sfd_core.base_model.manifest import BaseModel
from sfd_core.training import checkpoint
from tests.support.attempts import TRAINED, a_runner, script, submitted
from tests.support.small_disk import SmallDisk, small_disk
from tests.support.waiting import wait_for
from worker import runner as module
from worker.runner import Runner


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 8) as made:
        yield made


@contextmanager
def running(runner: Runner) -> Iterator[None]:
    """A job is being run meanwhile; at the end it was run."""
    thread = threading.Thread(target=runner.run)
    thread.start()
    try:
        yield
        thread.join(120)
        assert not thread.is_alive()
    finally:
        runner.shutting_down.set()
        thread.join(60)


def waiting(runner: Runner, job: Job) -> bool:
    return runner.store.get(job.id).progress.get("waiting") == "storage_full"


def assert_done_at_once(runner: Runner, job: Job) -> None:
    """In one attempt, with one evaluation, published once; nobody has been told of a failure."""
    done = runner.store.get(job.id)
    events = runner.store.events(job.id, 0, 1000)
    assert (str(done.status), done.failures, done.attempt) == ("succeeded", 0, 1), done.error
    assert [e.data["phase"] for e in events if e.type == "job.phase"].count("evaluating") == 1
    assert [str(e.type) for e in events].count("job.succeeded") == 1
    assert not [e for e in events if e.type == "job.lost"]


def test_the_work_folder_is_full_in_training(
    engine: Engine, model: BaseModel, disk: SmallDisk, tmp_path: Path, forks: ForkServer
) -> None:
    runner = a_runner(engine, model.folder.parent, tmp_path, forks, work_dir=disk.folder / "work", renew_seconds=1)
    job = submitted(runner.store, model, steps=200)
    with running(runner):
        checkpoints = disk.folder / "work" / job.id / "attempt-1" / "checkpoints"
        wait_for(lambda: any(checkpoints.glob("step-*")), 60)
        disk.fill(leaving=64 << 10)
        wait_for(lambda: waiting(runner, job), 60)
        for whole in checkpoints.glob("step-*"):
            checkpoint.verify(whole)
        assert not list(checkpoints.glob("new-*")), "half a checkpoint is left"
        stands_at = runner.store.get(job.id).progress["images"]
        disk.make_room()
    assert_done_at_once(runner, job)
    assert runner.store.get(job.id).progress["images"] > stands_at


def test_the_artefact_store_is_full(
    engine: Engine, model: BaseModel, disk: SmallDisk, tmp_path: Path, forks: ForkServer
) -> None:
    store = f"file://{disk.folder}/artifacts"
    runner = a_runner(engine, model.folder.parent, tmp_path, forks, artifacts_url=store, renew_seconds=0.5)
    job = submitted(runner.store, model, steps=5)
    disk.fill(leaving=100 << 10)
    with running(runner):
        wait_for(lambda: waiting(runner, job), 90)
        assert str(runner.store.get(job.id).phase) == "publishing"
        assert not list(disk.folder.rglob(".new-*")), "half a file is left"
        disk.make_room()
    assert_done_at_once(runner, job)


@pytest.fixture
def stuck(
    engine: Engine, model: BaseModel, disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Runner, Job]]:
    """A job whose publication waits for room."""
    script(monkeypatch, TRAINED)
    store = f"file://{disk.folder}/artifacts"
    runner = a_runner(engine, model.folder.parent, tmp_path, artifacts_url=store, renew_seconds=0.5)
    job = submitted(runner.store, model)
    disk.fill()
    with running(runner):
        wait_for(lambda: waiting(runner, job), 30)
        yield runner, job


def test_a_job_that_waits_can_be_cancelled(stuck: tuple[Runner, Job]) -> None:
    runner, job = stuck
    runner.store.request_cancel(job.id)
    wait_for(lambda: str(runner.store.get(job.id).status) == "cancelled", 10)


def test_a_deploy_while_a_job_waits_costs_no_failure(stuck: tuple[Runner, Job]) -> None:
    runner, job = stuck
    runner.shutting_down.set()
    queued = wait_for(lambda: (now := runner.store.get(job.id)).status == "queued" and now, 10)
    assert queued.failures == 0


def test_wherever_else_a_disk_is_full_the_job_is_tried_again_later(
    engine: Engine, model: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a base model is fetched: no failure is spent however often it happens, and the worker waits before it
    claims again."""
    monkeypatch.setattr(module, "FULL_SECONDS", 0.3)
    script(monkeypatch, 'tell("error", code="storage_full", message="no space left")', "sys.exit(1)")
    runner = a_runner(engine, model.folder.parent, tmp_path)
    job = submitted(runner.store, model)
    for _ in range(5):
        runner.run()
    queued = runner.store.get(job.id)
    assert (str(queued.status), queued.failures, queued.attempt) == ("queued", 0, 5)
    lost = [e for e in runner.store.events(job.id) if e.type == "job.lost"]
    assert {e.data["error"]["code"] for e in lost} == {"storage_full"}
    since = [b.created_at - a.created_at for a, b in itertools.pairwise(lost)]
    assert min(s.total_seconds() for s in since) >= 0.3


def test_the_runners_own_files_find_the_disk_full(
    engine: Engine, model: BaseModel, disk: SmallDisk, tmp_path: Path
) -> None:
    runner = a_runner(engine, model.folder.parent, tmp_path, work_dir=disk.folder / "work")
    job = submitted(runner.store, model)
    disk.fill()
    runner.run()
    queued = runner.store.get(job.id)
    assert (str(queued.status), queued.failures) == ("queued", 0)
