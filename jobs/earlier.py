"""What became of a tenant's other jobs of a base model: what each was asked with, and what its report decided."""

from __future__ import annotations

from sqlalchemy import Engine, select

from jobs import wall
from jobs.advice import Outcome, outcome
from jobs.job import Job
from jobs.rows import COUNTED
from jobs.schema import jobs, reports

NEWEST = 100
"""Jobs that are looked at."""
_REQUEST = COUNTED[-1]


def earlier(engine: Engine, job: Job) -> tuple[Outcome, ...]:
    """Return the newest other jobs of the tenant and the base model of ``job`` that have a report, newest first."""
    found = reports.c.report
    query = (
        select(jobs.c.id, _REQUEST, found["criteria"].label("criteria"), found["cost"].label("cost"))
        .select_from(jobs.join(reports, reports.c.job_id == jobs.c.id))
        .where(jobs.c.tenant == job.tenant, jobs.c.base_model == job.base_model, jobs.c.id != job.id)
        .order_by(jobs.c.id.desc())
        .limit(NEWEST)
    )
    with wall.behind(engine, job.tenant).connect() as connection:
        rows = connection.execute(query).all()
    return tuple(outcome(row.id, row.request, {"criteria": row.criteria, "cost": row.cost}) for row in rows)
