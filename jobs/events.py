"""A job's events: appended in the transaction that changes the job, read after a sequence number.

``seq`` starts at 1 and has no gap: it is counted on the job's own row, which that transaction holds locked, so
events become visible in their order and a reader that asks for what follows the last one it saw misses none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, text

from jobs.schema import IS_METRICS, IS_MOMENT, events
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
    connection.execute(text(_BY_THE_KEY))
    rows = connection.execute(
        select(*_COLUMNS).where(events.c.job_id == job_id, events.c.seq > after_seq).order_by(events.c.seq).limit(limit)
    )
    return tuple(_to_event(row) for row in rows)


def read_moments(connection: Connection, job_id: str, after_seq: int, upto_seq: int, limit: int) -> tuple[Event, ...]:
    """Read the last ``limit`` events in that range that are no report of progress, in order."""
    rows = connection.execute(
        select(*_COLUMNS)
        .where(events.c.job_id == job_id, events.c.seq > after_seq, events.c.seq <= upto_seq, text(IS_MOMENT))
        .order_by(events.c.seq.desc())
        .limit(limit)
    )
    return tuple(reversed([_to_event(row) for row in rows]))


def read_metrics(connection: Connection, job_id: str, after_seq: int, upto_seq: int, limit: int) -> tuple[Event, ...]:
    """Read at most ``limit`` of the quick evaluations in that range, in order and evenly over it: the first in each of
    as many parts, so that it takes as long for a million events as for a thousand."""
    stride = -(-(upto_seq - after_seq) // limit)
    rows = connection.execute(
        text(_FIRST_OF_EACH_PART), {"job": job_id, "first": after_seq + 1, "last": upto_seq, "stride": stride}
    )
    return tuple(_to_event(row) for row in rows)


def _to_event(row: Any) -> Event:
    return Event(row.seq, EventType(row.type), row.data, row.attempt, row.created_at)


# Where its statistics are older than a job of a million events, Postgres sorts the whole table for one page of them.
# The primary key has them in their order, whatever the statistics say; for this transaction alone.
_BY_THE_KEY = (
    "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), "
    "set_config('enable_sort', 'off', true)"
)
_COLUMNS = (events.c.seq, events.c.type, events.c.data, events.c.attempt, events.c.created_at)
_FIRST_OF_EACH_PART = f"""
    SELECT found.* FROM generate_series(CAST(:first AS int), :last, :stride) AS part
    CROSS JOIN LATERAL (
        SELECT seq, type, data, attempt, created_at FROM events
         WHERE job_id = :job AND {IS_METRICS} AND seq >= part AND seq < part + :stride AND seq <= :last
         ORDER BY seq LIMIT 1
    ) AS found
    ORDER BY found.seq
"""
