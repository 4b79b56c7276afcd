"""What a process that serves many readers asks often: each a single, cheap query for all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlalchemy import Engine, func, select

from jobs.schema import jobs, outbox


def last_seqs(engine: Engine, job_ids: Collection[str]) -> Mapping[str, int]:
    """Return the sequence number of the last event of each of these jobs; a job that does not exist is left out."""
    with engine.connect() as connection:
        found = connection.execute(select(jobs.c.id, jobs.c.last_seq).where(jobs.c.id.in_(job_ids)))
        return {row.id: row.last_seq for row in found}


def backlog(engine: Engine) -> int:
    """Count the messages that wait in the outbox for a broker that takes them."""
    with engine.connect() as connection:
        return int(connection.execute(select(func.count()).where(outbox.c.sent_at.is_(None))).scalar_one())
