"""A job with very many events: what is read of them is what is shown, whatever Postgres knows of the table. Rows are
counted, not seconds."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from sqlalchemy import Connection, Engine, text

from jobs import events
from jobs.events import Event
from jobs.states import EventType, Phase
from jobs.store import JobStore
from tests.store.making import claimed, created

EVENTS = 60_000
_TELL = """
    INSERT INTO events (job_id, seq, type, data, attempt)
    SELECT :job, n, CASE WHEN n % 50 = 0 THEN 'job.metrics' ELSE 'job.progress' END, jsonb_build_object('images', n), 1
      FROM generate_series(4, :events) AS n
"""
_READ = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'events'"


@pytest.fixture(params=["unknown", "known", "of another time"])
def long(store: JobStore, engine: Engine, request: pytest.FixtureRequest) -> str:
    """The id of the job. What Postgres knows of the table: nothing, how it is, or how it was when it was small."""
    claim = claimed(store, created(store))
    store.enter_phase(claim.job.id, claim.attempt, Phase.TRAINING)
    analyze(engine, request.param == "of another time")
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE events SET (autovacuum_enabled = false)"))
        connection.execute(text(_TELL), {"job": claim.job.id, "events": EVENTS})
        connection.execute(text("UPDATE jobs SET last_seq = :n WHERE id = :job"), {"job": claim.job.id, "n": EVENTS})
    analyze(engine, request.param == "known")
    return claim.job.id


def analyze(engine: Engine, wanted: bool) -> None:
    if wanted:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE events"))


def read(engine: Engine, ask: Callable[[Connection], tuple[Event, ...]]) -> tuple[tuple[Event, ...], int]:
    """What is answered, and how many rows of the table were looked at for it."""
    with engine.connect() as connection:
        return ask(connection), int(connection.execute(text(_READ)).scalar_one())


@pytest.mark.parametrize("after", [0, EVENTS // 2, EVENTS - 50])
def test_a_page(engine: Engine, long: str, after: int) -> None:
    found, looked_at = read(engine, lambda connection: events.read(connection, long, after, 101))
    assert [event.seq for event in found] == list(range(after + 1, min(after + 101, EVENTS) + 1))
    assert looked_at <= 101


def test_the_moments(engine: Engine, long: str) -> None:
    found, looked_at = read(engine, lambda connection: events.read_moments(connection, long, 0, EVENTS, 60))
    assert [event.type for event in found] == [EventType.QUEUED, EventType.STARTED, EventType.PHASE]
    assert looked_at == 3


def test_the_metrics(engine: Engine, long: str) -> None:
    found, looked_at = read(engine, lambda connection: events.read_metrics(connection, long, 0, EVENTS, 600))
    assert len(found) == 600
    assert {event.type for event in found} == {EventType.METRICS}
    seqs = [event.seq for event in found]
    assert seqs == sorted(set(seqs))
    assert max(after - before for before, after in pairwise(seqs)) <= 2 * EVENTS // 600
    assert looked_at <= 1200, "with those in the index"


def test_a_page_over_what_was_collected(store: JobStore, engine: Engine, long: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM events WHERE type = 'job.progress'"))
    kept = [1, 2, 3, *range(50, EVENTS + 1, 50)]
    for after in (0, 3, 75, EVENTS // 2, EVENTS - 40, EVENTS):
        found = [event.seq for event in store.events(long, after, 7)]
        assert found == [seq for seq in kept if seq > after][:7]


@pytest.mark.parametrize("limit", [1, 7, 100])
@pytest.mark.parametrize(("after", "upto"), [(0, 40), (10, 11), (0, 3), (3, 40)])
def test_ranges_and_parts(store: JobStore, engine: Engine, limit: int, after: int, upto: int) -> None:
    """Against what the whole list says."""
    claim = claimed(store, created(store))
    kinds = [EventType.METRICS, EventType.PROGRESS, EventType.METRICS, EventType.CHECKPOINT]
    for _ in range(6):
        store.progress(claim.job.id, claim.attempt, {"of": 1}, [(kind, {"images": 1}) for kind in kinds])
        store.enter_phase(claim.job.id, claim.attempt, Phase.TRAINING)
    everything = [event for event in store.events(claim.job.id, limit=100) if after < event.seq <= upto]
    reports = {EventType.METRICS, EventType.PROGRESS, EventType.CHECKPOINT}
    moments = tuple(event for event in everything if event.type not in reports)[-limit:]
    metrics = [event for event in everything if event.type is EventType.METRICS]
    with engine.connect() as connection:
        assert events.read_moments(connection, claim.job.id, after, upto, limit) == moments
        found = events.read_metrics(connection, claim.job.id, after, upto, limit)
    assert len(found) <= limit
    assert {event.seq for event in found} <= {event.seq for event in metrics}
    if limit == 100:
        assert list(found) == metrics
    elif metrics:
        assert found[0] == metrics[0]
