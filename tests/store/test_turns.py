"""Whose turn it is: a tenant with a thousand jobs does not keep another waiting, and nobody runs more than he may."""

from __future__ import annotations

import dataclasses
import random
import re
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, Engine, select, text, update

from jobs import tenants, turns
from jobs.priorities import Priority
from jobs.schema import jobs
from jobs.states import Status
from jobs.store import Claim, Job, JobStore
from tests.store.making import LEASE, at_once, created, in_state, new_job, publication

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


def asked(store: JobStore, tenant: str, priority: str) -> Job:
    """A job of this priority that waits."""
    return store.create(dataclasses.replace(new_job(tenant), priority=Priority(priority)))[0]


def test_of_its_own_jobs_a_tenant_has_the_urgent_first(store: JobStore) -> None:
    ids = {(p, i): asked(store, "a", p).id for i in range(2) for p in ("low", "normal", "urgent")}
    order = [(p, i) for p in ("urgent", "normal", "low") for i in range(2)]
    claims = [claim(store, f"worker-{i}") for i in range(6)]
    assert [each.job.id for each in claims if each is not None] == [ids[each] for each in order]


def test_calling_everything_urgent_takes_nothing_from_others(store: JobStore) -> None:
    """Nor is whoever calls everything low passed over."""
    for tenant, priority in (("quiet", "low"), ("loud", "urgent")):
        for _ in range(3):
            asked(store, tenant, priority)
    assert tenants_claimed(store, 6) == ["quiet", "loud"] * 3


LEVEL = {"urgent": 0, "normal": 1, "low": 2}


def first_by_the_rule(waiting: Sequence[Job], running: Sequence[Job]) -> str:
    """The rule as docs/operations.md says it, over everything that waits and runs; nothing of it is shared."""
    tenant = min(
        {job.tenant for job in waiting},
        key=lambda name: (
            sum(job.tenant == name for job in running),
            min(job.id for job in waiting if job.tenant == name),
        ),
    )
    own = [job for job in waiting if job.tenant == tenant]
    return min(own, key=lambda job: (job.created_at.timestamp() + LEVEL[job.priority] * 7 * 86400, job.id)).id


@pytest.mark.parametrize("seed", range(3))
def test_the_rule_against_another_writing_of_it(store: JobStore, engine: Engine, seed: int) -> None:
    """Jobs of three tenants, submitted over weeks, which come, run and end in any order."""
    draw = random.Random(seed)
    at = datetime.now(UTC) - timedelta(days=60)
    waiting: list[Job] = []
    with engine.begin() as connection:
        for _ in range(30):
            job = asked(store, draw.choice("aabc"), draw.choice(list(LEVEL)))
            at += timedelta(hours=draw.choice((1, 20, 60)))
            connection.execute(update(jobs).where(jobs.c.id == job.id).values(created_at=at))
            waiting.append(dataclasses.replace(job, created_at=at))
    running: list[Job] = []
    while waiting:
        expected = first_by_the_rule(waiting, running)
        taken = claim(store, f"worker-{len(waiting)}")
        assert taken is not None
        assert taken.job.id == expected
        running += [job for job in waiting if job.id == expected]
        waiting = [job for job in waiting if job.id != expected]
        for job in draw.sample(running, min(len(running), draw.choice((0, 1, 1, 2)))):
            store.publish(job.id, 1, publication())
            running.remove(job)


@pytest.mark.parametrize("behind", [timedelta(0), timedelta(days=365)], ids=["no priorities", "no ageing"])
def test_control_without_priorities_or_ageing_the_rule_is_broken(
    store: JobStore, engine: Engine, monkeypatch: pytest.MonkeyPatch, behind: timedelta
) -> None:
    monkeypatch.setattr(turns, "BEHIND", {priority: LEVEL[priority] * behind for priority in Priority})
    with pytest.raises(AssertionError):
        test_the_rule_against_another_writing_of_it(store, engine, 0)


def test_a_turn_reads_one_job_of_each_priority(engine: Engine) -> None:
    """However many wait, and where all of one priority are older than all others."""
    with engine.begin() as connection:
        for priority in Priority:
            connection.execute(
                text(
                    "INSERT INTO jobs (id, tenant, status, base_model, base_model_digest, request, priority) "
                    "SELECT 'job_' || md5(:priority || i), 'acme', 'queued', 'fashion', 'sha256:0', '{}', :priority "
                    "FROM generate_series(1, 3000) AS i"
                ),
                {"priority": str(priority)},
            )
        connection.execute(text("ANALYZE jobs"))
        query = turns._first_of("acme", jobs.c.status == str(Status.QUEUED))
        compiled = query.compile(connection, compile_kwargs={"render_postcompile": True})
        plan = connection.exec_driver_sql(f"EXPLAIN (ANALYZE) {compiled}", compiled.params).scalars().all()
    read = [int(found) for line in plan if "Scan" in line for found in re.findall(r"actual .* rows=(\d+)", line)]
    removed = [int(found) for line in plan for found in re.findall(r"Rows Removed by Filter: (\d+)", line)]
    assert sum(read) + sum(removed) <= 12, "\n".join(plan)


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
