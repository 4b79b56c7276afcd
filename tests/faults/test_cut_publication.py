"""A worker that is killed at every step of a publication, at the disk and in the database: what is visible is nothing
or all of it, and the next attempt publishes once."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from jobs.artifacts import ArtifactStore
from jobs.database import make_engine
from jobs.generators import GeneratorStore
from jobs.job import attempt_prefix
from sfd_core.base_model.manifest import BaseModel
from tests.store.making import expire
from tests.support.attempts import TRAINED, a_runner, script, submitted
from tests.support.cut import Countdown, forked
from worker import runner as module
from worker.collection import remove_unpublished
from worker.runner import Runner


def run_until(engine: Engine, runner: Runner, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a job; be killed at the ``at``-th step from where its publication begins."""
    countdown = Countdown(at)
    publication_of = module.publication_of

    def armed(*arguments: Any) -> Any:
        countdown.hear()
        event.listen(engine, "before_cursor_execute", countdown.step)
        event.listen(engine, "commit", countdown.step)
        return publication_of(*arguments)

    monkeypatch.setattr(module, "publication_of", armed)
    runner.run()


def visible(engine: Engine, artifacts: ArtifactStore, job_id: str) -> bool:
    """Whether a generator can be seen; where one can, all of it is there."""
    with engine.connect() as connection:
        ids = connection.execute(text("SELECT id FROM generators WHERE job_id = :id"), {"id": job_id}).scalars().all()
        reports = connection.execute(text("SELECT count(*) FROM reports WHERE job_id = :id"), {"id": job_id}).scalar()
    assert len(ids) == reports <= 1
    for generator_id in ids:
        generator = GeneratorStore(engine).get(generator_id)
        for file in generator.files.values():
            artifacts.read(attempt_prefix(job_id, generator.attempt), file)
    return bool(ids)


def test_a_kill_at_every_step(
    engine: Engine,
    database_url: str,
    model: BaseModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    full: bool,
    figure: Callable[[str], None],
) -> None:
    script(monkeypatch, TRAINED)
    next_worker = a_runner(engine, model.folder.parent, tmp_path)
    store, artifacts = next_worker.store, next_worker.artifacts
    killed = 0
    for at in itertools.count(1, 1 if full else 9):
        job = submitted(store, model)
        engine.dispose()  # a connection is not to be had by two processes

        def work(at: int = at) -> None:
            own = make_engine(database_url)
            run_until(own, a_runner(own, model.folder.parent, tmp_path), at, monkeypatch)

        status = forked(work)
        now = store.get(job.id)
        assert visible(engine, artifacts, job.id) == (str(now.status) == "succeeded")
        if status == 0:
            break
        assert status < 0
        killed += 1
        if str(now.status) != "succeeded":
            assert (str(now.status), now.attempt) == ("running", 1)
            expire(engine, job.id)
            store.expire_leases(max_failures=3)
            next_worker.run()
        done = store.get(job.id)
        assert str(done.status) == "succeeded", done.error
        assert visible(engine, artifacts, job.id)
        remove_unpublished(store, artifacts)
        assert artifacts.attempts(job.id) == [done.attempt], "the files of the killed attempt stay"
        assert not list(tmp_path.rglob(f"{attempt_prefix(job.id, done.attempt)}/.new-*"))
    assert killed >= 3
    figure(f"{killed} of {killed} kills: nothing or all of it was visible, and it was published once")
