"""The front door to jobs: what users do with them is here; what workers and the reaper do is inherited from
``jobs.fence`` and ``jobs.reaping``. Every method is one transaction, committed when it returns."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Engine, Row, func, insert, or_, select
from sqlalchemy.dialects.postgresql import insert as insert_or

from jobs import audit, counting, events, quotas, rows, tombstones, wall, webhooks
from jobs.audit import SERVICE, Action, Actor
from jobs.case import Case
from jobs.errors import BadCursor, IdempotencyConflict, JobConflict, JobNotFound, LeaseLost, UnstorableRequest
from jobs.events import Event
from jobs.fence import WorkerCommands
from jobs.finding import ALL, Wanted
from jobs.ids import is_id, new_id
from jobs.job import (
    Claim,
    Expired,
    Job,
    JobError,
    NewGenerator,
    NewJob,
    Publication,
    Renewal,
    StoredFile,
    attempt_prefix,
)
from jobs.paging import Page, check_limit, page, read_cursor, read_timed_cursor
from jobs.reaping import Reaping
from jobs.schema import idempotency_keys, jobs
from jobs.states import TERMINAL, EventType, Status

__all__ = [
    "BadCursor",
    "Claim",
    "Event",
    "Expired",
    "IdempotencyConflict",
    "Job",
    "JobConflict",
    "JobError",
    "JobNotFound",
    "JobStore",
    "LeaseLost",
    "NewGenerator",
    "NewJob",
    "Page",
    "Publication",
    "Renewal",
    "StoredFile",
    "attempt_prefix",
]

# In JSON as orjson writes it: an escaped NUL, and not an escaped backslash before "u0000".
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class JobStore(WorkerCommands, Reaping):
    """Jobs in Postgres. With a ``tenant``, a method knows that tenant's jobs only: another's does not exist. Its
    queries say so, and Postgres sees to it (``jobs.wall``). What changes a job because somebody asked writes an entry
    into the audit log, by whom (``by``)."""

    def create(self, new: NewJob, by: Actor = SERVICE) -> tuple[Job, bool]:
        """Write a job, its first event and its wake-up message; or, if its idempotency key was used before with
        the same body, find the job of that time. The second value says whether the job is new.

        Raises:
            IdempotencyConflict: the key was used with another body.
            UnstorableRequest: a text in it holds a character that Postgres cannot store.
            QuotaExceeded: the tenant may have no more jobs now; its idempotency key is not used.
        """
        _check_storable(new)
        job_id, hook_id = new_id("job"), new_id("hook")
        with self._of(new.tenant).begin() as connection:
            if new.idempotency_key is not None and not _take_key(connection, new, job_id):
                job = _job_of_key(connection, new.tenant, new.idempotency_key, new.body_sha256)
                assert job is not None, "its key is taken"
                return job, False
            quotas.check_new_job(connection, new.tenant)
            row = connection.execute(
                insert(jobs)
                .values(
                    id=job_id,
                    tenant=new.tenant,
                    status=str(Status.QUEUED),
                    base_model=new.base_model,
                    base_model_digest=new.base_model_digest,
                    request=dict(new.request),
                    webhook=None if new.webhook is None else webhooks.as_shown(hook_id, new.webhook),
                    metadata=dict(new.metadata),
                    memory_bytes=new.memory_bytes,
                    case=new.case.to_json() or None,
                    priority=str(new.priority),
                    last_seq=1,
                )
                .returning(*jobs.c)
            ).one()
            if new.webhook is not None:
                webhooks.insert_new(connection, by, hook_id, new.tenant, job_id, new.webhook)
            events.append(connection, job_id, 1, 0, [(EventType.QUEUED, {})])
            rows.wake_up(connection, job_id)
            audit.write(
                connection,
                by,
                Action.JOB_SUBMIT,
                new.tenant,
                job_id,
                after=audit.digest(dict(new.request)),
                details={"base_model": new.base_model},
            )
        return rows.to_job(row), True

    def of_key(self, tenant: str, idempotency_key: str, body_sha256: str) -> Job | None:
        """Return the job that was submitted with this key and body, None where the key is not known.

        Raises:
            IdempotencyConflict: the key was used with another body.
        """
        with self._of(tenant).connect() as connection:
            return _job_of_key(connection, tenant, idempotency_key, body_sha256)

    def check(self, new: NewJob) -> None:
        """Refuse what :meth:`create` would refuse of ``new`` now, and write nothing.

        Raises:
            UnstorableRequest, QuotaExceeded: as :meth:`create`.
        """
        _check_storable(new)
        with self._of(new.tenant).begin() as connection:
            quotas.check_new_job(connection, new.tenant)

    def get(self, job_id: str, tenant: str | None = None) -> Job:
        """Return one job.

        Raises:
            JobNotFound: there is none, or it is another tenant's.
            Deleted: it was deleted, as by every method that names a job.
        """
        with self._of(tenant).connect() as connection:
            row = connection.execute(select(jobs).where(*_named(job_id, tenant))).one_or_none()
            if row is None:
                raise tombstones.missing(connection, job_id, tenant, JobNotFound(job_id))
        return rows.to_job(row)

    def request_cancel(self, job_id: str, tenant: str | None = None, by: Actor = SERVICE) -> Job:
        """Stop a job: at once if no worker holds it, else as soon as its worker reads the flag. A job that has
        ended, or that is already being stopped, stays as it is, so that asking twice gives the same answer.

        Raises:
            JobNotFound: there is none, or it is another tenant's.
        """
        with self._of(tenant).begin() as connection:
            job = _locked(connection, job_id, tenant)
            if job.status is Status.QUEUED:
                to, event = Status.CANCELLED, EventType.CANCELLED
            elif job.status is Status.RUNNING:
                to, event = Status.CANCELLING, EventType.CANCELLING
            else:
                return job
            moved = rows.move(connection, job, to, event, cancel_requested_at=func.now())
            _write_move(connection, by, Action.JOB_CANCEL, job, moved)
        return moved

    def retry(self, job_id: str, tenant: str | None = None, by: Actor = SERVICE) -> Job:
        """Queue a failed or cancelled job again, with a fresh budget of failures.

        Raises:
            JobNotFound: there is none, or it is another tenant's.
            JobConflict: it neither failed nor was cancelled.
            QuotaExceeded: its tenant may have no more jobs now.
        """
        with self._of(tenant).begin() as connection:
            job = _locked(connection, job_id, tenant)
            if job.status not in TERMINAL or job.status is Status.SUCCEEDED:
                message = f"only a job that failed or was cancelled can be retried; this one is {job.status}"
                raise JobConflict(message, status=str(job.status))
            quotas.check_new_job(connection, job.tenant)
            moved = rows.move(connection, job, Status.QUEUED, EventType.RETRIED, failures=0, progress={})
            _write_move(connection, by, Action.JOB_RETRY, job, moved)
        return moved

    def correct(self, job_id: str, tenant: str | None, corrected: Callable[[Job], Case], by: Actor = SERVICE) -> Job:
        """Replace the case of a job, whatever its status, by what ``corrected`` makes of the job as it is at that
        moment; what that raises is raised, and nothing changes. Its event names the fields, and not what they said.

        Raises:
            JobNotFound: there is none, or it is another tenant's.
        """
        with self._of(tenant).begin() as connection:
            job = _locked(connection, job_id, tenant)
            case = corrected(job)
            if not (fields := job.case.changed(case)):
                return job
            values = {"case": case.to_json() or None}
            changed = rows.change(
                connection, [jobs.c.id == job_id], values, [(EventType.CORRECTED, {"fields": fields})]
            )
            audit.write(
                connection,
                by,
                Action.JOB_CORRECT,
                job.tenant,
                job_id,
                before=audit.digest(job.case.to_json()),
                after=audit.digest(case.to_json()),
                details={"fields": ", ".join(fields)},
            )
        assert changed is not None, "the row is locked"
        return changed

    def counts(self) -> dict[Status, int]:
        """Count the jobs of all tenants by status. Every status has an entry."""
        return counting.by_status(self._engine)

    def events(self, job_id: str, after_seq: int = 0, limit: int = 100, tenant: str | None = None) -> tuple[Event, ...]:
        """Read up to ``limit`` of the job's events after sequence number ``after_seq`` (0: from the first), in order.

        Raises:
            JobNotFound: there is none, or it is another tenant's.
        """
        with self._of(tenant).connect() as connection:
            if connection.execute(select(jobs.c.id).where(*_named(job_id, tenant))).one_or_none() is None:
                raise tombstones.missing(connection, job_id, tenant, JobNotFound(job_id))
            return events.read(connection, job_id, after_seq, check_limit(limit))

    def told(self, job: Job, after_seq: int, moments: int, metrics: int) -> tuple[tuple[Event, ...], tuple[Event, ...]]:
        """Read what a page tells of the job's events after ``after_seq``: the last ``moments`` that are no report of
        progress, and ``metrics`` quick evaluations, evenly over the rest. It takes the same time however many events
        there are."""
        if after_seq >= job.last_seq:
            return (), ()
        with self._of(job.tenant).connect() as connection:
            return (
                events.read_moments(connection, job.id, after_seq, job.last_seq, moments),
                events.read_metrics(connection, job.id, after_seq, job.last_seq, metrics),
            )

    def list(self, tenant: str, wanted: Wanted = ALL, limit: int = 20, after: str | None = None) -> Page[Job]:
        """Return a page of the tenant's jobs, newest first, or earliest due where it is asked for what is due. Of their
        requests' lists of prompts it has how long they are: ten thousand prompts a job take longer to read than all the
        rest. ``after``: the ``next`` of the page before.

        Raises:
            BadCursor: ``after`` is not such a cursor.
        """
        where = tuple(wanted.conditions(tenant))
        due = wanted.due
        if due is None:
            order: tuple[ColumnElement[Any], ...] = (jobs.c.id.desc(),)
            where += () if after is None else (jobs.c.id < read_cursor("job", after),)
        else:
            order = (due, jobs.c.id)
            where += () if after is None else _later(due, *read_timed_cursor("job", after))
        asked = select(*rows.COUNTED).where(*where).order_by(*order).limit(check_limit(limit) + 1)
        with self._of(tenant).connect() as connection:
            found: tuple[Row[Any], ...] = tuple(connection.execute(asked))
        return page(found, limit, rows.to_job, at=lambda row: None if due is None else row._mapping[due.name])

    def _of(self, tenant: str | None) -> Engine:
        return wall.behind(self._engine, tenant)


def _named(job_id: str, tenant: str | None) -> tuple[ColumnElement[bool], ...]:
    if not is_id("job", job_id):
        raise JobNotFound(job_id)
    return (jobs.c.id == job_id,) if tenant is None else (jobs.c.id == job_id, jobs.c.tenant == tenant)


def _later(due: ColumnElement[datetime], at: datetime, last_id: str) -> tuple[ColumnElement[bool], ...]:
    """What follows in a list by ``due`` and then by id. The first of the two is what an index begins from."""
    return due >= at, or_(due > at, jobs.c.id > last_id)


def _locked(connection: Connection, job_id: str, tenant: str | None) -> Job:
    job = rows.lock(connection, *_named(job_id, tenant))
    if job is None:
        raise tombstones.missing(connection, job_id, tenant, JobNotFound(job_id))
    return job


def _write_move(connection: Connection, by: Actor, action: Action, before: Job, after: Job) -> None:
    details = {"status_before": str(before.status), "status": str(after.status)}
    audit.write(connection, by, action, after.tenant, after.id, details=details)


def _take_key(connection: Connection, new: NewJob, job_id: str) -> bool:
    """Take the idempotency key; ``False`` if it is taken. Waits while another transaction is about to take it."""
    taken = connection.execute(
        insert_or(idempotency_keys)
        .values(tenant=new.tenant, key=new.idempotency_key, body_sha256=new.body_sha256, job_id=job_id)
        .on_conflict_do_nothing()
        .returning(idempotency_keys.c.job_id)
    ).one_or_none()
    return taken is not None


def _job_of_key(connection: Connection, tenant: str, key: str, body_sha256: str | None) -> Job | None:
    named = (idempotency_keys.c.tenant == tenant, idempotency_keys.c.key == key)
    known = connection.execute(select(idempotency_keys).where(*named)).one_or_none()
    if known is None:
        return None
    if known.body_sha256 != body_sha256:
        raise IdempotencyConflict("this Idempotency-Key was used with another body: send a new key with a new request")
    row = connection.execute(select(jobs).where(jobs.c.id == known.job_id)).one_or_none()
    return None if row is None else rows.to_job(row)


def _check_storable(new: NewJob) -> None:
    values = [new.request, new.metadata, new.case.to_json(), new.webhook, new.tenant, new.base_model]
    values.append(new.idempotency_key)
    try:
        written = orjson.dumps(values)
    except TypeError as error:  # a surrogate without its other half
        raise UnstorableRequest(f"the request cannot be stored: {error}") from None
    if _NUL.search(written):
        raise UnstorableRequest("the request cannot be stored: it holds a NUL character (\\u0000)")
