"""Postgres gone between any two statements of what begins and ends an attempt: no failure is spent, nothing is
evaluated twice and nothing is published twice."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from jobs.broker import Broker
from jobs.database import is_away, make_engine
from jobs.errors import LeaseLost
from jobs.job import Job, JobError
from jobs.settings import Settings
from jobs.states import Status
from jobs.store import JobStore
from sfd_core.base_model.manifest import BaseModel
from tests.store.making import claimed, created, publication
from tests.support.attempts import TRAINED, a_runner, script, submitted
from worker import lease as module
from worker.lease import Lease
from worker.reaper import Reaper
from worker.runner import Runner

CRASH = JobError.of("training_crashed", "signal 11")


class Cut:
    """Ends the connection of an engine at one point: before its ``at``-th statement or commit, or, where ``answer`` is
    true, once that commit was made and before it is answered. ``points``: how many there were."""

    def __init__(self, engine: Engine, at: int | None, answer: bool = False) -> None:
        self.engine, self.at, self.answer = engine, at, answer
        self.points = 0
        self.cut = False

    def _reached(self, connection: Any) -> bool:
        self.points += 1
        if self.cut or self.points != self.at:
            return False
        self.cut = True
        if not self.answer:
            self._end(connection.info.backend_pid)
        return True

    def _end(self, pid: int) -> None:
        with self.engine.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})

    @contextmanager
    def on(self, engine: Engine) -> Iterator[None]:
        commit = engine.dialect.do_commit

        def before(connection: Connection, cursor: Any, *_: Any) -> None:
            self._reached(cursor.connection)

        def do_commit(connection: Any) -> None:
            reached = self._reached(connection.driver_connection)
            commit(connection)
            if reached and self.answer:
                raise psycopg.OperationalError("server closed the connection unexpectedly")

        event.listen(engine, "before_cursor_execute", before)
        engine.dialect.do_commit = do_commit  # type: ignore[method-assign]
        try:
            yield
        finally:
            event.remove(engine, "before_cursor_execute", before)
            engine.dialect.do_commit = commit  # type: ignore[method-assign]


@pytest.fixture
def cut_off(database_url: str) -> Iterator[Engine]:
    """The engine of the worker; ``engine`` is another, that nobody cuts off."""
    made = make_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.01)


def held(store: JobStore, cancelling: bool = False) -> Job:
    job = claimed(store).job
    return store.request_cancel(job.id) if cancelling else job


ENDS: dict[str, tuple[bool, Callable[[JobStore, Job], object], Status]] = {
    "publish": (False, lambda store, job: store.publish(job.id, 1, publication()), Status.SUCCEEDED),
    "give up": (False, lambda store, job: store.give_up(job.id, 1, CRASH, 3), Status.QUEUED),
    "release": (False, lambda store, job: store.release(job.id, 1), Status.QUEUED),
    "cancelled": (True, lambda store, job: store.cancelled(job.id, 1), Status.CANCELLED),
}


@pytest.mark.parametrize("answer", [False, True], ids=["before", "unanswered"])
@pytest.mark.parametrize("what", list(ENDS))
def test_an_attempt_ends_once_wherever_the_connection_is_cut(
    engine: Engine, cut_off: Engine, what: str, answer: bool
) -> None:
    cancelling, end, status = ENDS[what]
    store, worker = JobStore(engine), JobStore(cut_off)
    points = None
    for at in itertools.count(1):
        job = held(store, cancelling)
        before = store.events(job.id)
        lease = Lease(Settings(), worker, job.id, 1)
        cut = Cut(engine, at, answer)
        with cut.on(cut_off):
            try:
                lease.commit(lambda job=job: end(worker, job))  # type: ignore[misc]
            except LeaseLost:
                # It was made, and what it ended cannot be ended again; a publication can be asked for again.
                assert answer
                assert what != "publish"
        now = store.get(job.id)
        assert now.status is status
        assert now.failures == (what == "give up")
        assert len(store.events(job.id)) == len(before) + 1, "told once"
        if not cut.cut:
            break
        points = at
    assert points is not None
    assert points >= 4, "a lock, the change, its event and the commit at least"


@pytest.mark.parametrize("answer", [False, True], ids=["before", "unanswered"])
def test_a_claim_is_made_once_wherever_the_connection_is_cut(
    engine: Engine, cut_off: Engine, tmp_path: Path, answer: bool
) -> None:
    store = JobStore(engine)
    for at in itertools.count(1):
        job = created(store)
        runner = a_runner(cut_off, _no_models(tmp_path), tmp_path)
        cut = Cut(engine, at, answer)
        with cut.on(cut_off):
            claim = runner._claim()
        assert claim is not None
        now = store.get(job.id)
        assert (claim.attempt, now.attempt, now.worker, now.failures) == (1, 1, "worker-1", 0)
        assert [str(e.type) for e in store.events(job.id)] == ["job.queued", "job.started"]
        store.publish(job.id, 1, publication())  # a worker has one job at a time
        if not cut.cut:
            return


def _no_models(folder: Path) -> Path:
    (folder / "models").mkdir(exist_ok=True)
    return folder / "models"


def test_another_workers_job_is_not_taken_for_ones_own(engine: Engine) -> None:
    store = JobStore(engine)
    job = claimed(store).job
    assert store.claim(job.id, "worker-2", 60, again=True) is None
    assert store.claim(job.id, "worker-1", 60) is None, "only a worker that has lost an answer asks for it"
    mine = store.claim(job.id, "worker-1", 600, again=True)
    assert mine is not None
    assert (mine.attempt, mine.job.version) == (1, job.version + 1)


def test_it_is_tried_until_the_lease_must_be_lost(engine: Engine) -> None:
    job = held(JobStore(engine))
    lease = Lease(Settings(lease_seconds=0.5, renew_seconds=0.1), JobStore(engine), job.id, 1)
    tried = []

    def away() -> None:
        tried.append(time.monotonic())
        raise OperationalError("COMMIT", {}, psycopg.OperationalError("no"))

    began = time.monotonic()
    with pytest.raises(LeaseLost, match="the lease ran out while the database was away"):
        lease.commit(away)
    assert 0.5 <= time.monotonic() - began < 5
    assert len(tried) > 3


def test_what_another_try_does_not_mend_is_raised_at_once(engine: Engine) -> None:
    job = held(JobStore(engine))

    def wrong() -> None:
        raise ProgrammingError("SELEC", {}, psycopg.errors.SyntaxError("no"))

    with pytest.raises(ProgrammingError):
        Lease(Settings(), JobStore(engine), job.id, 1).commit(wrong)


@pytest.mark.parametrize(
    ("error", "away"),
    [
        (OperationalError("", {}, psycopg.errors.AdminShutdown()), True),
        (OperationalError("", {}, psycopg.errors.DiskFull()), True),
        (PoolTimeout("no place in the pool"), True),
        (ProgrammingError("", {}, psycopg.errors.UndefinedTable()), False),
        (OSError("connection refused"), False),
    ],
)
def test_what_is_a_database_that_is_away(error: Exception, away: bool) -> None:
    assert is_away(error) == away


def test_the_reaper_outlives_a_pool_that_is_used_up(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = a_runner(engine, _no_models(tmp_path), tmp_path)

    def used_up(**_: object) -> None:
        raise PoolTimeout("no place in the pool")

    monkeypatch.setattr(runner.store, "expire_leases", used_up)
    Reaper(runner.settings, runner.store, engine, Broker("redis://127.0.0.1:1/0")).sweep()


@pytest.mark.parametrize("times", [1, 5])
def test_nothing_is_evaluated_twice_for_a_commit(
    engine: Engine, model: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    script(monkeypatch, 'open(folder + "/../trained", "a").write("once\\n")', TRAINED)
    runner: Runner = a_runner(engine, model.folder.parent, tmp_path)
    job = submitted(runner.store, model)
    left = [times]
    publish = runner.store.publish

    def away(*arguments: Any) -> Job:
        if left[0]:
            left[0] -= 1
            raise OperationalError("COMMIT", {}, psycopg.errors.AdminShutdown())
        return publish(*arguments)

    monkeypatch.setattr(runner.store, "publish", away)
    kept = tmp_path / "kept"
    monkeypatch.setattr("worker.runner.shutil.rmtree", lambda path, **_: path.rename(kept))
    runner.run()
    done = runner.store.get(job.id)
    assert (str(done.status), done.attempt, done.failures) == ("succeeded", 1, 0), done.error
    assert (kept / "trained").read_text() == "once\n"
