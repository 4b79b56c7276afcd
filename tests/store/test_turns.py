"""Whose turn it is: a tenant with a thousand jobs does not keep another waiting, and nobody runs more than he may."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from sqlalchemy import Connection, Engine, select, text

from jobs import tenants, turns
from jobs.schema import jobs
from jobs.states import Status
from jobs.store import Claim, JobStore
from tests.store.making import LEASE, at_once, created, in_state, publication

MANY = 1000


def claim(store: JobStore, worker: str = "worker-1") -> Claim | None:
    """The job whose turn it is."""
    return store.claim(None, worker, LEASE)


def tenants_claimed(store: JobStore, n: int) -> list[str]:
    """Whose the next ``n`` jobs are, each claimed by a worker of its own."""
    claims = [claim(store, f"worker-{i}") for i in range(n)]
    return [each.job.tenant for each in claims if each is not None]


def queue_many(engine: Engine, tenant: str, n: int) -> None:
    """``n`` jobs that wait, older than any that is made now."""
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO jobs (id, tenant, status, base_model, base_model_digest, request) "
                "SELECT 'job_00' || lpad(i::text, 30, '0'), :tenant, 'queued', 'fashion', 'sha256:0', '{}' "
                "FROM generate_series(1, :n) AS i"
            ),
            {"tenant": tenant, "n": n},
        )


def oldest_first(connection: Connection, *_: object) -> Sequence[str]:
    """The order from before there were turns: by age alone, whosever the jobs are."""
    oldest = select(jobs.c.tenant).where(jobs.c.status == str(Status.QUEUED)).order_by(jobs.c.id).limit(1)
    return connection.execute(oldest).scalars().all()


def test_a_thousand_jobs_do_not_starve_one(store: JobStore, engine: Engine) -> None:
    queue_many(engine, "many", MANY)
    created(store, "one")
    assert tenants_claimed(store, 3) == ["many", "one", "many"]


def test_control_by_age_alone_they_do(store: JobStore, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "in_turn", oldest_first)
    with pytest.raises(AssertionError):
        test_a_thousand_jobs_do_not_starve_one(store, engine)


def test_fewest_running_then_oldest(store: JobStore) -> None:
    for tenant in ("c", "c", "c", "b", "b", "a", "a"):
        created(store, tenant)
    assert tenants_claimed(store, 7) == ["c", "b", "a", "c", "b", "a", "c"]
    assert claim(store) is None


def test_a_tenants_own_jobs_run_by_age(store: JobStore) -> None:
    ids = [created(store).id for _ in range(4)]
    assert [claim.job.id for i in range(4) if (claim := store.claim(None, f"w{i}", LEASE))] == ids


def test_a_job_that_ended_counts_no_more(store: JobStore) -> None:
    for tenant in ("a", "a", "b", "b"):
        created(store, tenant)
    first = claim(store)
    assert first is not None
    assert tenants_claimed(store, 1) == ["b"]
    store.publish(first.job.id, first.attempt, publication())
    assert tenants_claimed(store, 2) == ["a", "b"]


def test_many_workers_at_once_share_evenly(store: JobStore) -> None:
    for tenant in ["a"] * 12 + ["b"] * 12:
        created(store, tenant)
    claims = at_once(12, lambda i: claim(store, f"worker-{i}"))
    claimed = [each.job for each in claims if each is not None]
    assert len({job.id for job in claimed}) == 12
    assert sorted(job.tenant for job in claimed) == ["a"] * 6 + ["b"] * 6


def test_no_more_run_than_may(store: JobStore, engine: Engine) -> None:
    tenants.create(engine, "a", {"running_jobs": 2})
    for _ in range(12):
        created(store, "a")
    created(store, "b")
    claims = [each for each in at_once(12, lambda i: claim(store, f"worker-{i}")) if each is not None]
    assert sorted(each.job.tenant for each in claims) == ["a", "a", "b"]
    first = next(each for each in claims if each.job.tenant == "a")
    store.release(first.job.id, first.attempt)
    assert tenants_claimed(store, 2) == ["a"]
    tenants.limit(engine, "a", {"running_jobs": None})
    assert tenants_claimed(store, 3) == ["a"] * 3


def test_with_no_running_jobs_allowed_they_wait(store: JobStore, engine: Engine) -> None:
    tenants.create(engine, "a", {"running_jobs": 0})
    created(store, "a")
    assert claim(store) is None


def test_a_row_that_somebody_holds_is_passed_over(store: JobStore, engine: Engine) -> None:
    first, second = created(store), created(store)
    with engine.begin() as connection:
        connection.execute(select(jobs).where(jobs.c.id == first.id).with_for_update())
        taken = claim(store)
    assert taken is not None
    assert taken.job.id == second.id


def test_an_answer_that_was_lost(store: JobStore) -> None:
    created(store)
    created(store)
    first = claim(store)
    assert first is not None
    again = store.claim(None, "worker-1", LEASE, again=True)
    assert again is not None
    assert (again.job.id, again.attempt) == (first.job.id, first.attempt)
    other = store.claim(None, "worker-2", LEASE, again=True)
    assert other is not None
    assert other.job.id != first.job.id


def test_a_frozen_claim_ends(store: JobStore, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is stopped within its claim holds up the others for seconds, and writes nothing afterwards."""
    created(store)
    monkeypatch.setattr(turns, "_IDLE", "200ms")
    with engine.connect() as frozen:
        assert turns.next_job(frozen) is not None
        assert claim(store, "worker-2") is not None
        frozen.invalidate()


def test_lost_messages_are_those_of_jobs_that_could_run(store: JobStore, engine: Engine) -> None:
    tenants.create(engine, "a", {"running_jobs": 3})
    for _ in range(10):
        created(store, "a")
    created(store, "b")
    with engine.begin() as connection:
        connection.execute(text("UPDATE outbox SET sent_at = now()"))
    assert claim(store) is not None
    assert store.requeue_wake_ups(0, lambda: 0) == 2 + 1
    with engine.begin() as connection:
        connection.execute(text("UPDATE outbox SET sent_at = now()"))
    assert store.requeue_wake_ups(0, lambda: 3) == 0


@pytest.mark.parametrize("status", [Status.RUNNING, Status.CANCELLING])
def test_what_is_being_cancelled_runs(store: JobStore, engine: Engine, status: Status) -> None:
    tenants.create(engine, "acme", {"running_jobs": 1})
    in_state(store, status)
    created(store)
    assert claim(store, "worker-2") is None


def test_claims_wait_for_each_other(store: JobStore, engine: Engine) -> None:
    created(store)
    done = threading.Event()
    with engine.begin() as connection:
        assert turns.next_job(connection) is not None
        waiting = threading.Thread(target=lambda: (claim(store), done.set()))
        waiting.start()
        assert not done.wait(0.2)
    assert done.wait(10)
    waiting.join()
