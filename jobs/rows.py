"""The one place that changes a job's row: with its version, its events and its wake-up message, in one go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, literal_column, select, update
from sqlalchemy.dialects.postgresql import JSONB

from jobs import events
from jobs.case import NO_CASE, Case
from jobs.events import NewEvent
from jobs.job import Job, JobError, JsonObject
from jobs.priorities import Priority
from jobs.schema import jobs, outbox
from jobs.states import HELD, TERMINAL, EventType, Phase, Status, check_move

_COUNTED_REQUEST = """
    jsonb_set(
        CASE WHEN jsonb_typeof(jobs.request #> '{retain,prompts}') = 'array'
             THEN jsonb_set(jobs.request, '{retain,prompts}',
                            to_jsonb(jsonb_array_length(jobs.request #> '{retain,prompts}')))
             ELSE jobs.request END,
        '{forget}',
        (SELECT jsonb_agg(CASE WHEN jsonb_typeof(item -> 'prompts') = 'array'
                               THEN jsonb_set(item, '{prompts}', to_jsonb(jsonb_array_length(item -> 'prompts')))
                               ELSE item END ORDER BY place)
           FROM jsonb_array_elements(jobs.request -> 'forget') WITH ORDINALITY AS items (item, place)))
"""
COUNTED = (
    *(column for column in jobs.c if column is not jobs.c.request),
    literal_column(_COUNTED_REQUEST, JSONB).label("request"),
)
"""A job's columns where its request's lists of prompts are not needed: their lengths stand in their place."""


def to_job(row: Row[Any]) -> Job:
    """Read a row of ``jobs`` as a value."""
    values = dict(row._mapping)
    values["status"] = Status(row.status)
    values["phase"] = None if row.phase is None else Phase(row.phase)
    values["case"] = NO_CASE if row.case is None else Case.of(row.case)
    values["priority"] = Priority(row.priority)
    values["error"] = None if row.error is None else JobError(**row.error)
    return Job(**values)


def lock(connection: Connection, *where: ColumnElement[bool]) -> Job | None:
    """Lock the row of the job that ``where`` names, until the transaction ends; ``None`` if there is none."""
    row = connection.execute(select(jobs).where(*where).with_for_update()).one_or_none()
    return None if row is None else to_job(row)


def change(
    connection: Connection, where: Sequence[ColumnElement[bool]], values: dict[str, Any], new: Sequence[NewEvent]
) -> Job | None:
    """Write ``values`` to the job that ``where`` names and append ``new``; ``None`` if no row answers to ``where``."""
    row = connection.execute(
        update(jobs)
        .where(*where)
        .values(
            version=jobs.c.version + 1,
            last_seq=jobs.c.last_seq + len(new),
            updated_at=func.now(),
            **values,
        )
        .returning(*jobs.c)
    ).one_or_none()
    if row is None:
        return None
    events.append(connection, row.id, row.last_seq, row.attempt, new)
    return to_job(row)


def move(
    connection: Connection, job: Job, to: Status, event: EventType, data: JsonObject | None = None, **values: Any
) -> Job:
    """Move ``job``, whose row this transaction holds locked, to another status, with all that goes along with it:
    a job that is no longer held has no worker, one that is queued gets a wake-up message, one that ended has an end."""
    check_move(job.status, to, event)
    values["status"] = str(to)
    if to not in HELD:
        values |= {"phase": None, "lease_until": None, "worker": None}
    if to is Status.QUEUED:
        values |= {"cancel_requested_at": None, "finished_at": None, "error": None, "woken_at": func.now()}
    elif to in TERMINAL:
        values["finished_at"] = func.now()
    moved = change(connection, [jobs.c.id == job.id], values, [(event, data or {})])
    assert moved is not None, "the row is locked"
    if to is Status.QUEUED:
        wake_up(connection, job.id)
    return moved


def wake_up(connection: Connection, job_id: str) -> None:
    """Have a message sent, once this transaction is committed, that the job waits."""
    connection.execute(insert(outbox).values(job_id=job_id))


def from_now(seconds: float) -> ColumnElement[Any]:
    """Return a time ``seconds`` from now, by the database's clock."""
    return func.now() + timedelta(seconds=seconds)
