"""Whose turn it is: of all tenants that wait, the one with the fewest jobs running; of several such the one whose
oldest job has waited longest. Priorities have no say in that, so nobody comes sooner for calling everything urgent. Of
the tenant's own jobs the first by priority and age (``jobs.priorities``). Only those that fit the worker which asks are
looked at (``jobs.workers``).

Choosing looks at every tenant, so claims are made one after another: two at once would each see the same tenant with
the fewest. A claim takes milliseconds and a job minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, and_, cast, func, or_, select, true, union_all

from jobs import rows, workers
from jobs.priorities import BEHIND, Priority
from jobs.schema import jobs, tenants
from jobs.states import Status

_CLAIMING = 0x1E80
"""Any number that nobody else uses for an advisory lock of this database."""
_IDLE = "5s"
"""A worker that freezes within its claim holds up everybody's: its transaction ends after so long."""


def next_job(connection: Connection, memory_bytes: int | None = None) -> str | None:
    """Return the id of the job to run next on a worker with so much memory, its row locked until the transaction ends;
    ``None`` where none waits that may run and fits. A row that somebody else holds locked at this moment is passed
    over."""
    waits = (jobs.c.status == str(Status.QUEUED), workers.fits(memory_bytes))
    set_idle = func.set_config("idle_in_transaction_session_timeout", _IDLE, True)
    connection.execute(select(set_idle, func.pg_advisory_xact_lock(_CLAIMING)))
    for tenant in in_turn(connection, *waits):
        job_id: str | None = connection.execute(_first_of(tenant, *waits)).scalar_one_or_none()
        if job_id is not None:
            return job_id
    return None


def _first_of(tenant: str, *waits: ColumnElement[bool]) -> Select[Any]:
    """The tenant's job that goes first, of the oldest of each priority: one row of an index each, however many wait.
    All of these are locked."""
    oldest = []
    for priority, behind in BEHIND.items():
        of_it = select(jobs.c.id, (jobs.c.created_at + behind).label("turn"))
        of_it = of_it.where(jobs.c.tenant == tenant, jobs.c.priority == str(priority), *waits)
        of_it = of_it.order_by(jobs.c.id).limit(1).with_for_update(skip_locked=True)
        oldest.append(select(of_it.subquery()))
    of_each = union_all(*oldest).subquery()
    return select(of_each.c.id).order_by(of_each.c.turn, of_each.c.id).limit(1)


def in_turn(connection: Connection, *waits: ColumnElement[bool]) -> Sequence[str]:
    """Return the tenants that have a job of which this is so and may run one more, whose turn it is first."""
    held = _running().subquery()
    now = func.coalesce(held.c.jobs, 0)
    # By index, one row a tenant, however many wait.
    oldest = select(jobs.c.id).where(jobs.c.tenant == tenants.c.name, *waits).order_by(jobs.c.id).limit(1).lateral()
    query = (
        select(tenants.c.name)
        .select_from(tenants.join(oldest, true()).outerjoin(held, held.c.tenant == tenants.c.name))
        .where(or_(_may_run().is_(None), now < _may_run()))
        .order_by(now, oldest.c.id)
    )
    return connection.execute(query).scalars().all()


def ahead(connection: Connection, tenant: str, priority: Priority) -> int:
    """Count the jobs in the queue that have their turn before one of ``priority`` which ``tenant`` would submit now, as
    it looks: of its own those whose turn comes before, and of each other tenant as many as it takes until it has as
    many running as this one would."""
    held, waits = _running().subquery(), jobs.c.status == str(Status.QUEUED)
    queued = select(jobs.c.tenant, func.count().label("jobs")).where(waits).group_by(jobs.c.tenant).subquery()
    query = (
        select(tenants.c.name, func.coalesce(queued.c.jobs, 0), func.coalesce(held.c.jobs, 0))
        .select_from(
            tenants.outerjoin(queued, queued.c.tenant == tenants.c.name).outerjoin(
                held, held.c.tenant == tenants.c.name
            )
        )
        .where(or_(queued.c.jobs > 0, held.c.jobs > 0))
    )
    counted = {name: (waiting, running) for name, waiting, running in connection.execute(query)}
    _, running = counted.pop(tenant, (0, 0))
    mine = func.now() + BEHIND[priority]
    before = or_(*(and_(jobs.c.priority == str(p), jobs.c.created_at + b <= mine) for p, b in BEHIND.items()))
    own = select(func.count()).select_from(jobs).where(jobs.c.tenant == tenant, waits, before)
    waiting = connection.execute(own).scalar_one()
    others = (min(each, max(0, waiting + running + 1 - held)) for each, held in counted.values())
    return int(waiting + sum(others))


def pass_on(connection: Connection, memory_bytes: int | None) -> bool:
    """Write a message again of the oldest job that waits and is too large for a worker with so much memory, where one
    that is idle has the room. Returns whether there is such a job."""
    idle = workers.largest(connection, idle=True)
    if memory_bytes is None or idle is None or (idle.memory_bytes is not None and idle.memory_bytes <= memory_bytes):
        return False
    too_large = (jobs.c.status == str(Status.QUEUED), jobs.c.memory_bytes > memory_bytes)
    oldest = select(jobs.c.id).where(*too_large, workers.fits(idle.memory_bytes)).order_by(jobs.c.id).limit(1)
    job_id: str | None = connection.execute(oldest).scalar_one_or_none()
    if job_id is not None:
        rows.wake_up(connection, job_id)
    return job_id is not None


def could_run(connection: Connection, *which: ColumnElement[bool]) -> int:
    """Count the jobs of ``which`` that may run as soon as there are workers for them."""
    waiting = select(jobs.c.tenant, func.count().label("jobs")).where(*which).group_by(jobs.c.tenant).subquery()
    held = _running().subquery()
    room = func.coalesce(_may_run(), waiting.c.jobs + func.coalesce(held.c.jobs, 0)) - func.coalesce(held.c.jobs, 0)
    able = func.greatest(func.least(waiting.c.jobs, room), 0)
    query = select(func.coalesce(func.sum(able), 0)).select_from(
        waiting.join(tenants, tenants.c.name == waiting.c.tenant).outerjoin(held, held.c.tenant == waiting.c.tenant)
    )
    return int(connection.execute(query).scalar_one())


def _running() -> Select[tuple[str, int]]:
    """The number of jobs that workers hold, by tenant."""
    held = jobs.c.lease_until.is_not(None)
    return select(jobs.c.tenant, func.count().label("jobs")).where(held).group_by(jobs.c.tenant)


def _may_run() -> ColumnElement[int]:
    """How many jobs a tenant may have running; null where there is no limit."""
    return cast(tenants.c.limits["running_jobs"].astext, BigInteger)
