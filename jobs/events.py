"""A job's events: appended in the transaction that changes the job, read after a sequence number.

``seq`` starts at 1 and has no gap: it is counted on the job's own row, which that transaction holds locked, so
events become visible in their order and a reader that asks for what follows the last one it saw misses none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from jobs.schema import events
from jobs.states import EventType

NewEvent = tuple[EventType, Mapping[str, Any]]
"""An event to append: its type and its data."""


@dataclass(frozen=True)
class Event:
    """One thing that happened to a job. ``attempt``: the attempt that it happened in, 0 before the first."""

    seq: int
    type: EventType
    data: Mapping[str, Any]
    attempt: int
    created_at: datetime


def append(connection: Connection, job_id: str, last_seq: int, attempt: int, new: Sequence[NewEvent]) -> None:
    """Write ``new`` so that they end at ``last_seq``, to which the caller has just raised the job's counter."""
    if not new:
        return
    first = last_seq - len(new) + 1
    connection.execute(
        insert(events),
        [
            {"job_id": job_id, "seq": first + i, "type": str(type_), "data": dict(data), "attempt": attempt}
            for i, (type_, data) in enumerate(new)
        ],
    )


def read(connection: Connection, job_id: str, after_seq: int, limit: int) -> tuple[Event, ...]:
    """Read at most ``limit`` events with a sequence number above ``after_seq``, in order."""
    rows = connection.execute(
        select(events.c.seq, events.c.type, events.c.data, events.c.attempt, events.c.created_at)
        .where(events.c.job_id == job_id, events.c.seq > after_seq)
        .order_by(events.c.seq)
        .limit(limit)
    )
    return tuple(Event(r.seq, EventType(r.type), r.data, r.attempt, r.created_at) for r in rows)
