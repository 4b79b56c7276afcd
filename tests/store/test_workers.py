"""Nobody claims what cannot fit, and whoever can is woken up: workers with more and less memory, and none."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable

import pytest
from sqlalchemy import Engine, select, text, true, update

from jobs import tenants, workers
from jobs.rows import from_now
from jobs.schema import outbox
from jobs.schema import workers as table
from jobs.states import Status
from jobs.store import Claim, Job, JobStore
from jobs.workers import Largest, Worker
from tests.store.making import LEASE, at_once, new_job

GB = 10**9
SMALL, LARGE = Worker("small", "1", "a", "CPU", 8 * GB), Worker("large", "1", "b", "NVIDIA H100 80GB HBM3", 80 * GB)


def needing(store: JobStore, gigabytes: int | None, tenant: str = "acme") -> Job:
    """A queued job that needs so much."""
    return store.create(new_job(tenant, memory_bytes=None if gigabytes is None else gigabytes * GB))[0]


def claim(store: JobStore, worker: Worker, job: Job | None = None) -> Claim | None:
    return store.claim(job and job.id, worker.name, LEASE, memory_bytes=worker.memory_bytes)


def claimed(store: JobStore, worker: Worker) -> str | None:
    found = claim(store, worker)
    return None if found is None else found.job.id


def waits(store: JobStore, engine: Engine, job: Job) -> str | None:
    with engine.connect() as connection:
        return workers.waits_for_memory(store.get(job.id).memory_bytes, workers.largest(connection))


def stale(engine: Engine, name: str, seconds: float) -> None:
    """Let a worker have been silent for so long."""
    with engine.begin() as connection:
        connection.execute(update(table).where(table.c.name == name).values(seen_at=from_now(-seconds)))


def hints(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(select(outbox.c.job_id).order_by(outbox.c.id)).scalars())


def sent(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE outbox SET sent_at = now()"))


def test_a_job_that_does_not_fit_is_not_claimed(store: JobStore) -> None:
    large = needing(store, 31)
    assert claim(store, SMALL) is None
    assert claim(store, SMALL, large) is None, "nor by its id"
    assert store.get(large.id).status is Status.QUEUED
    assert claimed(store, LARGE) == large.id


def test_control_without_the_condition_it_is(store: JobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "fits", lambda memory_bytes: true())
    with pytest.raises(AssertionError):
        test_a_job_that_does_not_fit_is_not_claimed(store)


def test_what_fits_exactly_and_what_is_not_known_is(store: JobStore) -> None:
    exactly, unknown = needing(store, 8), needing(store, None)
    assert [claimed(store, SMALL) for _ in range(2)] == [exactly.id, unknown.id]
    anything = needing(store, 10_000)
    assert claimed(store, dataclasses.replace(SMALL, memory_bytes=None)) == anything.id


def test_smaller_jobs_go_past_one_that_waits_for_memory(store: JobStore) -> None:
    """Each tenant's oldest that fits; turns are as they are."""
    large = needing(store, 31, "a")
    a, b, c = (needing(store, 1, tenant) for tenant in ("a", "b", "b"))
    assert [claimed(store, SMALL) for _ in range(4)] == [a.id, b.id, c.id, None]
    assert claimed(store, LARGE) == large.id


def test_a_tenants_job_that_does_not_fit_does_not_take_its_turn(store: JobStore) -> None:
    needing(store, 31, "a")
    b = needing(store, 1, "b")
    assert claimed(store, SMALL) == b.id


def test_many_workers_at_once(store: JobStore) -> None:
    small = {needing(store, 4).id for _ in range(6)}
    large = {needing(store, 31).id for _ in range(6)}
    asking = [SMALL, LARGE] * 8
    found = at_once(len(asking), lambda i: (asking[i], claimed(store, asking[i])))
    by_small = [job_id for worker, job_id in found if worker is SMALL and job_id is not None]
    by_large = [job_id for worker, job_id in found if worker is LARGE and job_id is not None]
    assert set(by_small) <= small
    assert len({*by_small, *by_large}) == len(by_small) + len(by_large)
    while (job_id := claimed(store, LARGE)) is not None:
        by_large.append(job_id)
    assert {*by_small, *by_large} == small | large


def test_a_worker_states_itself_and_leaves(engine: Engine) -> None:
    def largest() -> Largest | None:
        with engine.connect() as connection:
            return workers.largest(connection)

    assert largest() is None
    workers.state(engine, SMALL)
    workers.state(engine, LARGE)
    workers.state(engine, dataclasses.replace(LARGE, memory_bytes=40 * GB))
    assert largest() == Largest(40 * GB)
    workers.state(engine, dataclasses.replace(SMALL, memory_bytes=None))
    assert largest() == Largest(None), "one takes everything"
    workers.leave(engine, "small")
    stale(engine, "large", workers.LIVES_SECONDS + 1)
    assert largest() is None, "silent for too long"
    workers.state(engine, LARGE)
    assert largest() == Largest(80 * GB), "it is back"


def test_who_is_long_gone_is_forgotten(engine: Engine) -> None:
    workers.state(engine, SMALL)
    workers.state(engine, LARGE)
    stale(engine, "small", workers.FORGET_SECONDS + 1)
    assert workers.forget_gone(engine) == 1
    with engine.connect() as connection:
        assert list(connection.execute(select(table.c.name)).scalars()) == ["large"]


def test_what_a_job_waits_for(store: JobStore, engine: Engine) -> None:
    job, unknown = needing(store, 31), needing(store, None)
    assert waits(store, engine, job) is None, "for any worker, not for memory"
    workers.state(engine, SMALL)
    said = "needs at least 31.0 GB of device memory; the largest worker that is there has 8.0 GB"
    assert waits(store, engine, job) == said
    assert waits(store, engine, unknown) is None
    workers.state(engine, LARGE)
    assert waits(store, engine, job) is None


def test_a_message_that_came_to_the_wrong_worker_is_passed_on(store: JobStore, engine: Engine) -> None:
    job = needing(store, 31)
    for worker in (SMALL, LARGE):
        workers.state(engine, worker)
    assert hints(engine) == [job.id]
    assert claim(store, SMALL) is None
    assert store.pass_on(SMALL.memory_bytes)
    assert hints(engine) == [job.id] * 2
    assert not store.pass_on(LARGE.memory_bytes), "it has the room itself"
    assert not store.pass_on(None)


@pytest.mark.parametrize(
    "hinder",
    [
        lambda store, engine: stale(engine, "large", workers.LIVES_SECONDS + 1),
        lambda store, engine: workers.leave(engine, "large"),
        lambda store, engine: claim(store, LARGE),
        lambda store, engine: workers.state(engine, dataclasses.replace(LARGE, memory_bytes=30 * GB)),
    ],
    ids=["silent", "left", "busy", "too small"],
)
def test_not_where_nobody_would_take_it(
    store: JobStore, engine: Engine, hinder: Callable[[JobStore, Engine], object]
) -> None:
    workers.state(engine, SMALL)
    workers.state(engine, LARGE)
    needing(store, 31), needing(store, 31)
    hinder(store, engine)
    assert not store.pass_on(SMALL.memory_bytes)


def test_lost_messages_are_those_of_jobs_that_fit_somebody(store: JobStore, engine: Engine) -> None:
    for gigabytes in (4, 31, 31, None):
        needing(store, gigabytes)
    sent(engine)
    workers.state(engine, SMALL)
    assert store.requeue_wake_ups(0, lambda: 0) == 2
    sent(engine)
    workers.state(engine, LARGE)
    assert store.requeue_wake_ups(0, lambda: 0) == 4
    sent(engine)
    for name in ("small", "large"):
        workers.leave(engine, name)
    assert store.requeue_wake_ups(0, lambda: 0) == 4, "workers of the version before state nothing"


def test_a_limit_of_running_jobs_stays(store: JobStore, engine: Engine) -> None:
    tenants.create(engine, "a", {"running_jobs": 1})
    needing(store, 1, "a"), needing(store, 31, "a")
    assert claimed(store, SMALL) is not None
    assert claimed(store, LARGE) is None


def test_stating_at_once(engine: Engine) -> None:
    barrier = threading.Barrier(4)

    def state(_: int) -> None:
        barrier.wait()
        for _ in range(10):
            workers.state(engine, SMALL)

    at_once(4, state)
    with engine.connect() as connection:
        assert connection.execute(select(table.c.name)).scalars().all() == ["small"]
