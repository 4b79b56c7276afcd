"""What keeps jobs moving when a worker or a message is lost: leases that ran out, unanswered wake-up messages."""

from __future__ import annotations

from sqlalchemy import Engine, exists, func, insert, select, update

from jobs import rows
from jobs.fence import fail_attempt
from jobs.job import Expired, JobError
from jobs.schema import jobs, outbox
from jobs.states import HELD, Status


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

    def requeue_wake_ups(self, older_than_seconds: float, limit: int = 100) -> int:
        """Write up to ``limit`` wake-up messages again, for queued jobs whose last one is older (the broker lost it),
        and say how many. A job whose message has not even been sent is left alone. Not a change that a reader sees.

        A job that merely waits for its turn has an old message too; it is still in the broker. So call this
        only while the broker's queue is empty, or the queue fills with copies (harmless, but a waste).
        """
        unsent = exists().where(outbox.c.job_id == jobs.c.id, outbox.c.sent_at.is_(None))
        forgotten = (
            select(jobs.c.id)
            .where(
                jobs.c.status == str(Status.QUEUED),
                jobs.c.woken_at < rows.from_now(-older_than_seconds),
                ~unsent,
            )
            .order_by(jobs.c.woken_at, jobs.c.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        with self._engine.begin() as connection:
            ids = connection.execute(forgotten).scalars().all()
            if ids:
                connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(woken_at=func.now()))
                connection.execute(insert(outbox), [{"job_id": job_id} for job_id in ids])
        return len(ids)
