"""What a worker does to a job: claim it, then write, and every write stands behind the fence of its attempt.

A claim raises ``attempt``. From then on a write is accepted only while that attempt is the newest and its lease has
not run out, so a worker that froze, lost its network or was replaced can do no harm when it comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, ScalarSelect, func, insert, select, update

from jobs import audit, rows, turns, workers
from jobs.audit import SERVICE, Action
from jobs.errors import JOB_ERRORS, LeaseLost
from jobs.events import NewEvent
from jobs.ids import is_id
from jobs.job import Claim, Job, JobError, JsonObject, Publication, Renewal
from jobs.schema import generators, jobs, reports
from jobs.states import HELD, REPORTS, EventType, Phase, Status, check_move


class WorkerCommands:
    """The worker's half of the store. Each method is one transaction. All but :meth:`claim` raise
    :class:`~jobs.errors.LeaseLost` when the fence refuses the write: then the worker must stop at once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def claim(
        self,
        job_id: str | None,
        worker: str,
        lease_seconds: float,
        *,
        memory_bytes: int | None = None,
        again: bool = False,
    ) -> Claim | None:
        """Take a queued job; ``None`` if there is none to be taken. Of any number of claims at once, one wins.

        Args:
            job_id: the job, whosever turn it is and however many its tenant may have running. ``None``: the one whose
                turn it is (``jobs.turns``).
            worker: the name of a worker that no other has.
            memory_bytes: what the worker's device has: no job is taken that needs more. ``None``: it is not known, and
                every job fits.
            again: the answer to an earlier claim of this worker was lost: if it has the job, that is the answer.
        """
        if job_id is not None and not is_id("job", job_id):
            return None
        check_move(Status.QUEUED, Status.RUNNING, EventType.STARTED)
        values = {
            "status": str(Status.RUNNING),
            "phase": str(Phase.PREPARING),
            "attempt": jobs.c.attempt + 1,
            "worker": worker,
            "lease_until": rows.from_now(lease_seconds),
            "started_at": func.coalesce(jobs.c.started_at, func.now()),
        }
        with self._engine.begin() as connection:
            job = None
            if again:
                mine = (jobs.c.id == (job_id or _unanswered(worker)), jobs.c.worker == worker, _live())
                job = rows.change(connection, mine, {"lease_until": rows.from_now(lease_seconds)}, [])
            if job is None:
                next_id = job_id or turns.next_job(connection, memory_bytes)
                queued = (jobs.c.id == next_id, jobs.c.status == str(Status.QUEUED), workers.fits(memory_bytes))
                job = rows.change(connection, queued, values, [(EventType.STARTED, {"worker": worker})])
        return None if job is None else Claim(job, job.attempt)

    def pass_on(self, memory_bytes: int | None) -> bool:
        """Have the message of a job sent again that a worker with so much memory got and cannot take, where an idle
        one can. Returns whether there is such a job."""
        with self._engine.begin() as connection:
            return turns.pass_on(connection, memory_bytes)

    def renew(self, job_id: str, attempt: int, lease_seconds: float) -> Renewal:
        """Extend the lease to ``lease_seconds`` from now. Not a change that a reader sees: the version stays."""
        with self._engine.begin() as connection:
            status = connection.execute(
                update(jobs)
                .where(*_fence(job_id, attempt))
                .values(lease_until=rows.from_now(lease_seconds))
                .returning(jobs.c.status)
            ).scalar_one_or_none()
        if status is None:
            raise _lost(job_id, attempt)
        return Renewal(cancel_requested=status == Status.CANCELLING)

    def progress(
        self, job_id: str, attempt: int, progress: JsonObject, events: Sequence[tuple[str, JsonObject]] = ()
    ) -> Renewal:
        """Replace the job's progress and append ``events``, of the types ``job.progress``, ``job.metrics`` and
        ``job.checkpoint`` (``ValueError`` for another: a move is told of by the method that makes it)."""
        new = [(EventType(type_), data) for type_, data in events]
        if strange := [str(type_) for type_, _ in new if type_ not in REPORTS]:
            raise ValueError(f"not a report of progress: {', '.join(strange)}")
        return self._write(job_id, attempt, {"progress": dict(progress)}, new)

    def enter_phase(self, job_id: str, attempt: int, phase: Phase) -> Renewal:
        """Say what the worker does from now on."""
        return self._write(job_id, attempt, {"phase": str(phase)}, [(EventType.PHASE, {"phase": str(phase)})])

    def release(self, job_id: str, attempt: int) -> Job:
        """Give the job back in good order (a deploy): queued again, and it costs no failure. If a cancel was
        requested, it is cancelled instead."""
        with self._engine.begin() as connection:
            job = _held(connection, job_id, attempt)
            if job.status is Status.CANCELLING:
                return rows.move(connection, job, Status.CANCELLED, EventType.CANCELLED)
            return rows.move(connection, job, Status.QUEUED, EventType.RELEASED)

    def give_up(self, job_id: str, attempt: int, error: JobError, max_failures: int) -> Job:
        """Fail the attempt. The job is queued again if ``error`` is retryable and fewer than ``max_failures`` attempts
        have failed so far, this one included if its error counts; else failed. If a cancel was requested: cancelled."""
        with self._engine.begin() as connection:
            return fail_attempt(connection, _held(connection, job_id, attempt), error, max_failures)

    def cancelled(self, job_id: str, attempt: int) -> Job:
        """Cancel the job: the worker has stopped, as was asked.

        Raises:
            IllegalMove: if no cancel was requested.
        """
        with self._engine.begin() as connection:
            return rows.move(connection, _held(connection, job_id, attempt), Status.CANCELLED, EventType.CANCELLED)

    def publish(self, job_id: str, attempt: int, publication: Publication) -> Job:
        """Make the generator and its report visible and the job succeeded, all or nothing. If a cancel was
        requested before: the job is cancelled and nothing is published.

        Publishing again what this attempt has published (the answer to the first call was lost on its way) changes
        nothing and answers the same job.
        """
        with self._engine.begin() as connection:
            job = rows.lock(connection, jobs.c.id == job_id, jobs.c.attempt == attempt, _live_or_succeeded())
            if job is None:
                raise _lost(job_id, attempt)
            if job.status is Status.SUCCEEDED:
                return job
            if job.status is Status.CANCELLING:
                return rows.move(connection, job, Status.CANCELLED, EventType.CANCELLED)
            _insert_publication(connection, job, publication)
            done = rows.move(
                connection,
                job,
                Status.SUCCEEDED,
                EventType.SUCCEEDED,
                {"verdict": publication.verdict, "generator": publication.generator.id},
                verdict=publication.verdict,
                generator_id=publication.generator.id,
            )
            audit.write(
                connection,
                replace(SERVICE, name=job.worker),
                Action.GENERATOR_PUBLISH,
                job.tenant,
                publication.generator.id,
                after=audit.text_digest(publication.generator.record),
                details={"job": job.id, "verdict": publication.verdict},
            )
        return done

    def _write(self, job_id: str, attempt: int, values: dict[str, Any], new: Sequence[NewEvent]) -> Renewal:
        with self._engine.begin() as connection:
            job = rows.change(connection, _fence(job_id, attempt), values, new)
        if job is None:
            raise _lost(job_id, attempt)
        return Renewal(cancel_requested=job.status is Status.CANCELLING)


def fail_attempt(connection: Connection, job: Job, error: JobError, max_failures: int) -> Job:
    """Decide what becomes of a held job, its row locked, whose attempt failed."""
    failures = job.failures + JOB_ERRORS[error.code].counted
    told = {"error": error.to_json(), "failures": failures}
    if job.status is Status.CANCELLING:
        return rows.move(connection, job, Status.CANCELLED, EventType.CANCELLED)
    if error.retryable and failures < max_failures:
        return rows.move(connection, job, Status.QUEUED, EventType.LOST, told, failures=failures)
    return rows.move(connection, job, Status.FAILED, EventType.FAILED, told, failures=failures, error=error.to_json())


def _insert_publication(connection: Connection, job: Job, publication: Publication) -> None:
    new = publication.generator
    connection.execute(
        insert(generators).values(
            id=new.id,
            tenant=job.tenant,
            job_id=job.id,
            attempt=job.attempt,
            status="published" if publication.verdict == "pass" else "withheld",
            verdict=publication.verdict,
            base_model=job.base_model,
            base_model_digest=job.base_model_digest,
            forget=[dict(item) for item in new.forget],
            figures=dict(new.figures),
            files={name: stored.to_json() for name, stored in new.files.items()},
            digest=new.digest,
            record=new.record,
            pair={name: stored.to_json() for name, stored in new.pair.items()},
        )
    )
    connection.execute(
        insert(reports).values(
            job_id=job.id,
            attempt=job.attempt,
            report=dict(publication.report),
            files={name: stored.to_json() for name, stored in publication.report_files.items()},
        )
    )


def _fence(job_id: str, attempt: int) -> tuple[ColumnElement[bool], ...]:
    return (jobs.c.id == job_id, jobs.c.attempt == attempt, _live())


def _unanswered(worker: str) -> ScalarSelect[str]:
    """The job that a worker may have claimed without knowing: its newest, with which nothing has happened since."""
    new = (jobs.c.worker == worker, jobs.c.phase == str(Phase.PREPARING), _live())
    return select(jobs.c.id).where(*new).order_by(jobs.c.held_since.desc()).limit(1).scalar_subquery()


def _live() -> ColumnElement[bool]:
    return jobs.c.status.in_([str(s) for s in HELD]) & (jobs.c.lease_until > func.now())


def _live_or_succeeded() -> ColumnElement[bool]:
    return _live() | (jobs.c.status == str(Status.SUCCEEDED))


def _held(connection: Connection, job_id: str, attempt: int) -> Job:
    job = rows.lock(connection, *_fence(job_id, attempt))
    if job is None:
        raise _lost(job_id, attempt)
    return job


def _lost(job_id: str, attempt: int) -> LeaseLost:
    return LeaseLost(f"attempt {attempt} of {job_id} no longer holds the lease")
