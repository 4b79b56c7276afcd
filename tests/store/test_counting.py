"""Jobs counted as they change: what a trigger writes and the reaper adds up is what is there."""

from __future__ import annotations

from collections import Counter

from sqlalchemy import Engine, delete, func, select, update

from jobs import counting
from jobs.schema import job_counts, jobs
from jobs.states import Status
from jobs.store import JobStore
from tests.store.making import at_once, claimed, created


def there(engine: Engine) -> dict[Status, int]:
    with engine.connect() as connection:
        found = Counter(connection.execute(select(jobs.c.status)).scalars())
    return {status: found[str(status)] for status in Status}


def rows(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(job_counts)).scalar_one())


def test_every_move_is_counted(store: JobStore, engine: Engine) -> None:
    assert set(counting.by_status(engine)) == set(Status)
    before = counting.by_status(engine)
    job = created(store)
    assert counting.by_status(engine)[Status.QUEUED] == before[Status.QUEUED] + 1
    claimed(store, job)
    assert counting.by_status(engine) == there(engine) == store.counts()
    store.request_cancel(job.id)
    assert counting.by_status(engine) == there(engine)
    gone = created(store)
    with engine.begin() as connection:
        connection.execute(delete(jobs).where(jobs.c.id == gone.id))
    assert counting.by_status(engine) == there(engine)


def test_adding_up_changes_no_count(store: JobStore, engine: Engine) -> None:
    job = created(store)
    with engine.begin() as connection:
        for _ in range(counting.MANY):  # the same status again is no change
            connection.execute(update(jobs).where(jobs.c.id == job.id).values(version=jobs.c.version + 1))
    few = rows(engine)
    counting.add_up(engine)
    assert rows(engine) == few
    for _ in range(counting.MANY):
        created(store)
    at_once(4, lambda _: counting.add_up(engine))
    assert rows(engine) <= 4 * len(Status)
    assert counting.by_status(engine) == there(engine)
