"""The engine: nothing waits without end, a connection that died is replaced, times are UTC."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError

from jobs.database import make_engine
from jobs.states import Status
from jobs.store import JobStore
from tests.store.making import at_once, claimed, created


def test_a_statement_that_runs_too_long_is_ended(database_url: str) -> None:
    engine = make_engine(database_url, statement_timeout_seconds=0.2)
    with pytest.raises(OperationalError, match="statement timeout"), engine.connect() as connection:
        connection.execute(text("SELECT pg_sleep(20)"))
    engine.dispose()


def test_a_lock_that_is_not_given_is_not_waited_for(store: JobStore, engine: Engine, database_url: str) -> None:
    """A process that froze in a transaction, with a job's row locked, holds nobody up for long."""
    job = created(store)
    impatient = make_engine(database_url, lock_timeout_seconds=0.2)
    with engine.begin() as connection:
        connection.execute(text("SELECT 1 FROM jobs FOR UPDATE"))
        with pytest.raises(OperationalError, match="lock timeout"):
            JobStore(impatient).request_cancel(job.id)
    impatient.dispose()
    assert store.request_cancel(job.id).status is Status.CANCELLED


def test_a_connection_that_died_is_replaced(store: JobStore, engine: Engine, database_url: str) -> None:
    job = claimed(store).job
    other = make_engine(database_url)
    with other.connect() as connection:
        killed = connection.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "
                "AND datname = current_database()"
            )
        ).all()
    other.dispose()
    assert killed
    assert store.get(job.id) == job


def test_more_threads_than_connections(store: JobStore) -> None:
    jobs = at_once(60, lambda _: created(store))
    assert len({job.id for job in jobs}) == 60


def test_no_database_is_said_at_once(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(OperationalError):
        JobStore(make_engine(f"postgresql+psycopg://lethe@/lethe?host={tmp_path}")).counts()
    assert time.monotonic() - begun < 5


def test_times_are_utc_and_the_databases(store: JobStore, engine: Engine) -> None:
    with engine.connect() as connection:
        assert connection.execute(text("SHOW timezone")).scalar_one() == "UTC"
        before = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    job = created(store)
    assert before < job.created_at == job.updated_at
    assert job.created_at.utcoffset() == before.utcoffset()
