"""Quotas: what is counted, what is refused because of it, and that two at once do not slip through."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, text

from jobs import measures, quotas, tenants
from jobs.errors import QuotaExceeded
from jobs.measures import MEASURES
from jobs.states import Status
from jobs.store import Job, JobStore
from jobs.tenants import LIMITS
from tests.store.making import CRASH, at_once, claimed, count, created, expire, in_state, new_job, publication


def limited(engine: Engine, **limits: int) -> None:
    """Limit ``acme``, whose jobs the tests make."""
    tenants.create(engine, "acme", limits)


def used(engine: Engine, name: str, tenant: str = "acme") -> float:
    return quotas.usage(engine, tenant)[1][name]


def held_for(engine: Engine, job: Job, seconds: float) -> None:
    """Let a worker have held the job for so long."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE jobs SET held_since = now() - make_interval(secs => :s) WHERE id = :id"),
            {"s": seconds, "id": job.id},
        )


def test_every_limit_is_measured() -> None:
    assert tuple(MEASURES) == LIMITS


def test_by_default_nothing_is_limited(store: JobStore, engine: Engine) -> None:
    for _ in range(3):
        created(store)
    assert quotas.for_new_jobs(engine, "acme") == ()
    assert quotas.take_samples(engine, "acme", 10**6) == ()
    assert count(engine, "tenant_usage") == 0
    assert quotas.usage(engine, "nobody")[1] == dict.fromkeys(LIMITS, 0)


def test_queued_jobs(store: JobStore, engine: Engine) -> None:
    limited(engine, queued_jobs=2)
    first = created(store)
    created(store)
    created(store, "other")
    (quota,) = quotas.for_new_jobs(engine, "acme")
    assert (quota.name, quota.limit, quota.used, quota.remaining, quota.reset) == ("queued_jobs", 2, 2, 0, None)
    with pytest.raises(QuotaExceeded, match="queued_jobs: 2 of 2 jobs are used") as caught:
        created(store)
    assert (caught.value.retry_after, caught.value.kind.status) == (quotas.RETRY_SECONDS, 429)
    assert [quota.name for quota in caught.value.quotas] == ["queued_jobs"]
    claimed(store, first)
    created(store)
    tenants.limit(engine, "acme", {"queued_jobs": None})
    created(store)


def test_of_many_at_once_no_more_than_may(store: JobStore, engine: Engine) -> None:
    limited(engine, queued_jobs=3)

    def submit(_: int) -> bool:
        try:
            return bool(created(store))
        except QuotaExceeded:
            return False

    assert sorted(at_once(10, submit)) == [False] * 7 + [True] * 3
    assert used(engine, "queued_jobs") == 3


def test_what_is_refused_leaves_nothing(store: JobStore, engine: Engine) -> None:
    limited(engine, queued_jobs=1)
    again = new_job(idempotency_key="a", body_sha256="1")
    job, _ = store.create(again)
    assert store.create(again) == (job, False), "an answer that was given is given again, whatever is used up"
    other = new_job(idempotency_key="b", body_sha256="2")
    for _ in range(2):
        with pytest.raises(QuotaExceeded):
            store.create(other)
    assert (count(engine, "jobs"), count(engine, "idempotency_keys"), count(engine, "outbox")) == (1, 1, 1)
    store.request_cancel(job.id)
    assert store.create(other)[1]


def test_a_retry_is_queued_as_a_new_job_is(store: JobStore, engine: Engine) -> None:
    limited(engine, queued_jobs=1)
    job = in_state(store, Status.FAILED)
    created(store)
    with pytest.raises(QuotaExceeded):
        store.retry(job.id, "acme")
    assert store.get(job.id).status is Status.FAILED


def test_a_job_that_comes_back_is_not_refused(store: JobStore, engine: Engine) -> None:
    limited(engine, queued_jobs=1)
    claim = claimed(store)
    created(store)
    assert store.release(claim.job.id, claim.attempt).status is Status.QUEUED
    assert used(engine, "queued_jobs") == 2


@pytest.mark.parametrize("end", ["publish", "release", "give_up", "cancelled", "expire"])
def test_training_minutes_are_counted_however_a_job_is_let_go(store: JobStore, engine: Engine, end: str) -> None:
    claim = claimed(store)
    job, attempt = claim.job, claim.attempt
    held_for(engine, job, 600)
    assert used(engine, "training_minutes") == pytest.approx(10, abs=0.5)
    match end:
        case "publish":
            store.publish(job.id, attempt, publication())
        case "release":
            store.release(job.id, attempt)
        case "give_up":
            store.give_up(job.id, attempt, CRASH, 3)
        case "cancelled":
            store.request_cancel(job.id)
            store.cancelled(job.id, attempt)
        case "expire":
            expire(engine, job.id)
            store.expire_leases(max_failures=3)
    assert store.get(job.id).held_since is None
    assert used(engine, "training_minutes") == pytest.approx(10, abs=0.5)
    assert used(engine, "training_minutes", "other") == 0


def test_attempts_add_up_and_renewals_do_not_begin_anew(store: JobStore, engine: Engine) -> None:
    job = created(store)
    for _ in range(2):
        claim = claimed(store, job)
        held_for(engine, job, 300)
        store.renew(job.id, claim.attempt, 60)
        store.progress(job.id, claim.attempt, {"images": 1})
        store.release(job.id, claim.attempt)
    assert used(engine, "training_minutes") == pytest.approx(10, abs=0.5)
    with engine.begin() as connection:
        connection.execute(text("UPDATE tenant_usage SET since = since - interval '1 month'"))
    assert used(engine, "training_minutes") == 0, "another month"


def test_training_minutes_refuse_new_jobs_until_the_next_month(store: JobStore, engine: Engine) -> None:
    limited(engine, training_minutes=10, queued_jobs=5)
    waiting, running = created(store), created(store)
    claimed(store, running)
    held_for(engine, running, 601)
    with pytest.raises(QuotaExceeded, match="training_minutes: 10 of 10 minutes") as caught:
        created(store)
    (quota,) = caught.value.quotas
    assert quota.window in {days * 86400 for days in (28, 29, 30, 31)}
    assert caught.value.retry_after == quota.reset
    assert 0 < quota.reset <= quota.window
    assert store.claim(None, "worker-2", 60).job.id == waiting.id, "what was accepted runs"  # type: ignore[union-attr]


def test_stored_bytes(store: JobStore, engine: Engine) -> None:
    limited(engine, stored_bytes=30)
    assert used(engine, "stored_bytes") == 0
    for i in range(2):
        claim = claimed(store) if i == 0 else claimed(store, created(store, "other"))
        store.publish(claim.job.id, claim.attempt, publication("fail"))
    assert used(engine, "stored_bytes") == 10 + 20, "a generator's file and a report's, withheld too"
    with pytest.raises(QuotaExceeded, match="stored_bytes: 30 of 30 bytes"):
        created(store)
    tenants.limit(engine, "acme", {"stored_bytes": 31})
    created(store)


def test_all_that_is_used_up_is_told_at_once(store: JobStore, engine: Engine) -> None:
    limited(engine, queued_jobs=0, training_minutes=0, stored_bytes=0, running_jobs=0)
    with pytest.raises(QuotaExceeded) as caught:
        created(store)
    assert [quota.name for quota in caught.value.quotas] == ["queued_jobs", "training_minutes", "stored_bytes"]
    assert caught.value.retry_after > 0


def test_samples(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(engine, samples_per_minute=10)
    now = datetime(2026, 2, 28, 23, 59, 30, tzinfo=UTC)
    monkeypatch.setattr(quotas, "now_of", lambda _: now)
    (quota,) = quotas.take_samples(engine, "acme", 7)
    assert (quota.remaining, quota.window, quota.reset) == (3, 60, 30)
    with pytest.raises(QuotaExceeded, match="7 of 10 images are used; this asks for 4") as caught:
        quotas.take_samples(engine, "acme", 4)
    assert caught.value.retry_after == 30
    assert quotas.take_samples(engine, "acme", 3)[0].remaining == 0
    with pytest.raises(QuotaExceeded):
        quotas.take_samples(engine, "acme", 1)
    now = datetime(2026, 3, 1, tzinfo=UTC)
    assert quotas.take_samples(engine, "acme", 10)[0].reset == 60
    now = datetime(2026, 3, 1, 0, 1, tzinfo=UTC)
    with pytest.raises(QuotaExceeded, match="0 of 10 images"):
        quotas.take_samples(engine, "acme", 11)


def test_samples_at_once(engine: Engine) -> None:
    limited(engine, samples_per_minute=5)

    def take(_: int) -> bool:
        try:
            return bool(quotas.take_samples(engine, "acme", 1))
        except QuotaExceeded:
            return False

    # Two minutes at most, where it turns meanwhile.
    assert sum(at_once(12, take)) in (5, 10)


def test_minutes_that_are_over_are_forgotten(store: JobStore, engine: Engine) -> None:
    limited(engine, samples_per_minute=5)
    quotas.take_samples(engine, "acme", 1)
    assert store.forget_samples(3600) == 0
    assert store.forget_samples(-120) == 1


@pytest.mark.parametrize(
    ("now", "begin", "end"),
    [
        ((2026, 1, 31, 12), (2026, 1, 1), (2026, 2, 1)),
        ((2028, 2, 29, 23), (2028, 2, 1), (2028, 3, 1)),
        ((2026, 12, 1), (2026, 12, 1), (2027, 1, 1)),
    ],
)
def test_months(now: tuple[int, ...], begin: tuple[int, ...], end: tuple[int, ...]) -> None:
    def at(parts: tuple[int, ...]) -> datetime:
        return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]

    assert measures.month(at(now)) == (at(begin), at(end))
