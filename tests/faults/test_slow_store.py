"""An artefact store that gives and takes large files slowly: the lease is kept meanwhile, and what is asked of the
attempt is done between two pieces."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from jobs import artifacts as module
from jobs.job import Job, NewJob, attempt_prefix
from jobs.states import Status
from sfd_core.base_model.manifest import BaseModel
from tests.store.making import claimed, created, publication
from tests.support.attempts import TRAINED, a_runner, script, submitted
from worker.runner import Runner

LEASE = 2.0
PIECES = 20


@pytest.fixture
def runner(engine: Engine, model: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """A runner whose lease is shorter than a copy of a file takes."""
    monkeypatch.setattr(module, "CHUNK_BYTES", 100)
    script(monkeypatch, TRAINED)
    return a_runner(engine, model.folder.parent, tmp_path, lease_seconds=LEASE, renew_seconds=0.05)


def slowly(monkeypatch: pytest.MonkeyPatch, runner: Runner, at_piece: Callable[[int], object]) -> None:
    """Have each piece of a large file take its time, call ``at_piece`` with its number, and look for leases that ran
    out as every reaper does."""
    pieces, count = module._pieces, iter(range(1000))

    def slow(stream: Any, between: Callable[[], object]) -> Any:
        for piece in pieces(stream, between):
            if len(piece) == module.CHUNK_BYTES:
                at_piece(next(count))
                time.sleep(1.5 * LEASE / PIECES)
                assert runner.store.expire_leases(max_failures=3) == ()
            yield piece

    monkeypatch.setattr(module, "_pieces", slow)


def continuing(runner: Runner, model: BaseModel, tmp_path: Path) -> Job:
    """A job that goes on from a generator with a large file."""
    earlier = created(runner.store, "default")
    large = tmp_path / "large"
    large.write_bytes(bytes(100 * PIECES))
    stored = runner.artifacts.put_file(large, attempt_prefix(earlier.id, 1))
    made = publication()
    made = dataclasses.replace(made, generator=dataclasses.replace(made.generator, files={}, pair={"large": stored}))
    generator = runner.store.publish(claimed(runner.store, earlier).job.id, 1, made).generator_id
    like = submitted(runner.store, model)
    runner.store.request_cancel(like.id)
    parent = {"generator": generator, "record": "0" * 64, "kept": ["blue"], "t_init": 2.5, "steps": 1}
    request = {**like.request, "parent": parent | {"history": []}}
    return runner.store.create(NewJob("default", request, model.name, model.digest))[0]


def test_the_lease_is_kept_while_what_a_job_goes_on_from_is_fetched(
    runner: Runner, model: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = continuing(runner, model, tmp_path)
    seen: list[int] = []
    slowly(monkeypatch, runner, seen.append)
    runner.run()
    done = runner.store.get(job.id)
    assert (done.status, done.attempt, done.failures) == (Status.SUCCEEDED, 1, 0), done.error
    assert len(seen) >= PIECES


@pytest.mark.parametrize("asked", ["cancel", "stop"])
def test_what_is_asked_while_it_is_fetched_is_done(
    runner: Runner, model: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str
) -> None:
    job = continuing(runner, model, tmp_path)
    seen: list[int] = []

    def at_piece(number: int) -> None:
        seen.append(number)
        if number == 1:
            runner.store.request_cancel(job.id) if asked == "cancel" else runner.shutting_down.set()

    slowly(monkeypatch, runner, at_piece)
    runner.run()
    done = runner.store.get(job.id)
    assert done.status is (Status.CANCELLED if asked == "cancel" else Status.QUEUED)
    assert (done.failures, len(seen) < PIECES / 2) == (0, True)


@pytest.mark.parametrize("cancelled", [False, True])
def test_the_lease_is_kept_while_a_large_file_is_stored(
    runner: Runner, model: BaseModel, monkeypatch: pytest.MonkeyPatch, cancelled: bool
) -> None:
    script(monkeypatch, f"open(folder + '/large', 'wb').write(bytes(100 * {PIECES // 2}))", TRAINED, MOVED)
    job = submitted(runner.store, model)
    seen: list[int] = []

    def at_piece(number: int) -> None:
        seen.append(number)
        if cancelled and number == 1:
            runner.store.request_cancel(job.id)

    slowly(monkeypatch, runner, at_piece)
    runner.run()
    done = runner.store.get(job.id)
    assert (done.status, done.failures) == (Status.CANCELLED if cancelled else Status.SUCCEEDED, 0), done.error
    assert (len(seen) < PIECES / 2) == cancelled


MOVED = "os.rename(folder + '/large', folder + '/generator/large')"
