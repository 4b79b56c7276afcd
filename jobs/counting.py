"""How many jobs there are by status, without reading them: a trigger writes what changes (``schema.job_counts``)."""

from __future__ import annotations

from sqlalchemy import Engine, Integer, cast, delete, func, insert, select

from jobs.schema import job_counts
from jobs.states import Status

MANY = 200
"""Differences that are left as they are: adding up fewer is not worth the writing."""


def by_status(engine: Engine) -> dict[Status, int]:
    """Count the jobs of all tenants. Every status has an entry."""
    total = cast(func.sum(job_counts.c.jobs), Integer)
    with engine.connect() as connection:
        found = connection.execute(select(job_counts.c.status, total).group_by(job_counts.c.status)).all()
    return dict.fromkeys(Status, 0) | {Status(status): count for status, count in found}


def add_up(engine: Engine) -> None:
    """Put one row a status in the place of many, where there are many. Any number may do so at once."""
    taken = delete(job_counts).returning(job_counts.c.status, job_counts.c.jobs).cte("taken")
    sums = select(taken.c.status, func.sum(taken.c.jobs)).group_by(taken.c.status)
    with engine.begin() as connection:
        if connection.execute(select(func.count()).select_from(job_counts)).scalar_one() > MANY:
            connection.execute(insert(job_counts).from_select(["status", "jobs"], sums))
