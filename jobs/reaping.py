"""What keeps jobs moving when a worker or a message is lost: leases that ran out, unanswered wake-up messages. And what
nobody needs any more."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from sqlalchemy import Engine, delete, exists, func, insert, select, text, tuple_, update

from jobs import deliveries, rows, tombstones, turns, workers
from jobs.fence import fail_attempt
from jobs.job import Expired, JobError, Over
from jobs.schema import IS_PASSING, events, generators, idempotency_keys, jobs, outbox, tenant_usage
from jobs.states import HELD, TERMINAL, Status

MAX_WAKE_UPS = 1000
"""Wake-up messages that are written again in one round."""
_COUNTING = 0x1E7F
"""Any number that nobody else uses for an advisory lock of this database."""


class Reaping:
    """The reaper's part of the store. Any number of reapers may run at once: each takes other rows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def expire_leases(self, *, max_failures: int, limit: int = 100) -> tuple[Expired, ...]:
        """Take up to ``limit`` jobs from workers whose lease ran out: cancelled if that was asked; else one failure
        more, and queued again or, at ``max_failures``, failed with the code ``worker_lost``."""
        ran_out = (
            select(jobs)
            .where(jobs.c.lease_until <= func.now(), jobs.c.status.in_([str(s) for s in HELD]))
            .order_by(jobs.c.lease_until, jobs.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        outcomes = []
        with self._engine.begin() as connection:
            for row in connection.execute(ran_out).all():
                job = rows.to_job(row)
                error = JobError.of("worker_lost", f"worker {job.worker} was not heard of until its lease ran out")
                moved = fail_attempt(connection, job, error, max_failures)
                outcomes.append(Expired(job.id, moved.status))
        return tuple(outcomes)

    def attempts_over(self, job_ids: Collection[str]) -> Mapping[str, Over]:
        """Return which attempts of these jobs are over and were not published; a job that does not exist is left
        out."""
        query = (
            select(jobs.c.id, jobs.c.attempt, jobs.c.status, generators.c.attempt.label("published"))
            .select_from(jobs.outerjoin(generators, generators.c.job_id == jobs.c.id))
            .where(jobs.c.id.in_(job_ids))
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        # One that is held may write; one that waits has none that could.
        return {row.id: Over(row.attempt - (row.status in HELD), row.published) for row in rows}

    def deleted(self, job_ids: Collection[str]) -> frozenset[str]:
        """Return which of these jobs were deleted."""
        return tombstones.deleted_of(self._engine, job_ids)

    def forget_idempotency_keys(self, older_than_seconds: float, limit: int = 10_000) -> int:
        """Delete up to ``limit`` idempotency keys that were first used longer ago than that, and say how many."""
        old = (
            select(idempotency_keys.c.tenant, idempotency_keys.c.key)
            .where(idempotency_keys.c.created_at < rows.from_now(-older_than_seconds))
            .order_by(idempotency_keys.c.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        named = tuple_(idempotency_keys.c.tenant, idempotency_keys.c.key)
        with self._engine.begin() as connection:
            return connection.execute(delete(idempotency_keys).where(named.in_(old))).rowcount

    def forget_progress(self, older_than_seconds: float, limit: int = 10_000) -> int:
        """Delete up to ``limit`` reports of progress and of checkpoints that are older than that, of jobs that are
        over, and say how many. What moved a job and what was measured on the way stays."""
        over = exists().where(jobs.c.id == events.c.job_id, jobs.c.status.in_([str(s) for s in TERMINAL]))
        old = (
            select(events.c.job_id, events.c.seq)
            .where(text(IS_PASSING), events.c.created_at < rows.from_now(-older_than_seconds), over)
            .order_by(events.c.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True, of=events)
        )
        named = tuple_(events.c.job_id, events.c.seq)
        with self._engine.begin() as connection:
            return connection.execute(delete(events).where(named.in_(old))).rowcount

    def forget_deliveries(self, older_than_seconds: float, limit: int = 10_000) -> int:
        """Delete up to ``limit`` deliveries that ended longer ago than that, and say how many; and deleted webhooks
        whose log is gone."""
        return deliveries.forget(self._engine, older_than_seconds, limit)

    def forget_samples(self, older_than_seconds: float) -> int:
        """Delete what was counted of samples in minutes that are longer ago than that, and say how many those are."""
        old = (tenant_usage.c.measure == "samples", tenant_usage.c.since < rows.from_now(-older_than_seconds))
        with self._engine.begin() as connection:
            return connection.execute(delete(tenant_usage).where(*old)).rowcount

    def requeue_wake_ups(
        self, older_than_seconds: float, queue_length: Callable[[], int], limit: int = MAX_WAKE_UPS
    ) -> int:
        """Write wake-up messages again that the broker lost, and say how many. Not a change that a reader sees.

        The broker says how many messages it has (``queue_length``). Where that is fewer than jobs wait whose message
        was sent, the difference is lost, whatever else is in the queue; which ones, nobody can say. So as many are
        written again, up to ``limit``, for the jobs that were announced longest ago, if that is longer than
        ``older_than_seconds``. One that was not lost has two messages then, which is harmless; and one that was and
        is not among them is found in a later round, as those before it are taken. Of a tenant that may have so many
        jobs running, no more are counted than could run: a message of one that may not comes to nothing. Nor are those
        that no worker has the memory for which is there now.

        Raises:
            BrokerUnavailable: from ``queue_length``; then nothing is written.
        """
        unsent = exists().where(outbox.c.job_id == jobs.c.id, outbox.c.sent_at.is_(None))
        with self._engine.begin() as connection:
            there = workers.largest(connection)
            fitting = workers.fits(there.memory_bytes if there is not None else None)
            sent = (jobs.c.status == str(Status.QUEUED), ~unsent, fitting)
            # Two that count the same loss would both make up for it.
            if not connection.execute(select(func.pg_try_advisory_xact_lock(_COUNTING))).scalar_one():
                return 0
            lost = min(limit, turns.could_run(connection, *sent) - queue_length())
            if lost <= 0:
                return 0
            longest_ago = (
                select(jobs.c.id)
                .where(*sent, jobs.c.woken_at < rows.from_now(-older_than_seconds))
                .order_by(jobs.c.woken_at, jobs.c.id)
                .limit(lost)
                .with_for_update(skip_locked=True)
            )
            ids = connection.execute(longest_ago).scalars().all()
            if ids:
                connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(woken_at=func.now()))
                connection.execute(insert(outbox), [{"job_id": job_id} for job_id in ids])
        return len(ids)
