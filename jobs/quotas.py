"""Quotas: what a tenant has used of its limits, and what is refused because of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.dialects.postgresql import insert

from jobs import wall
from jobs.errors import QuotaExceeded
from jobs.measures import MEASURES, minute, now_of
from jobs.schema import tenant_usage
from jobs.tenants import Limits, limits_of

RETRY_SECONDS = 60
"""What a client is told to wait for room that no clock brings: a job that starts, a limit that is raised."""
_COUNTING = 0x1E81
"""Any number that nobody else uses for an advisory lock of this database, beside a tenant's own."""

_OF_NEW_JOBS = tuple(name for name, measure in MEASURES.items() if measure.refuses_jobs)


@dataclass(frozen=True)
class Quota:
    """A limit and how much of it is used, both in ``unit``. ``window``, ``reset``: of a limit by time, how long it is
    and when the next one begins, in seconds."""

    name: str
    limit: int
    used: float
    unit: str
    window: int | None = None
    reset: int | None = None

    @property
    def remaining(self) -> int:
        """What is left, in whole units."""
        return max(0, math.floor(self.limit - self.used))

    def __str__(self) -> str:
        return f"{self.name}: {self.used:.0f} of {self.limit} {self.unit} are used"


def usage(engine: Engine, tenant: str) -> tuple[Limits, Mapping[str, float]]:
    """Return what ``tenant`` may use, and what it uses now, by the limits' names."""
    with wall.behind(engine, tenant).connect() as connection:
        now = now_of(connection)
        used = {name: measure.count(connection, tenant, now) for name, measure in MEASURES.items()}
        return limits_of(connection, tenant), MappingProxyType(used)


def of_tenant(engine: Engine, tenant: str) -> tuple[Quota, ...]:
    """Return every quota of the tenant; none where nothing is limited."""
    with wall.behind(engine, tenant).connect() as connection:
        return _quotas(connection, tenant, MEASURES)


def for_new_jobs(engine: Engine, tenant: str) -> tuple[Quota, ...]:
    """Return the quotas that a new job of the tenant is held against; none where nothing is limited."""
    with wall.behind(engine, tenant).connect() as connection:
        return _quotas(connection, tenant, _OF_NEW_JOBS)


def check_new_job(connection: Connection, tenant: str) -> None:
    """Make sure that the tenant may have one more job in the queue. None of its others is queued until the transaction
    ends.

    Raises:
        QuotaExceeded: with each quota that is used up.
    """
    if not _limited(limits_of(connection, tenant), _OF_NEW_JOBS):
        return
    connection.execute(select(func.pg_advisory_xact_lock(_COUNTING, func.hashtext(tenant))))
    if exceeded := [quota for quota in _quotas(connection, tenant, _OF_NEW_JOBS) if quota.remaining < 1]:
        raise _exceeded(exceeded)


def take_samples(engine: Engine, tenant: str, images: int) -> tuple[Quota, ...]:
    """Take ``images`` of the minute that it is. Returns the quota with them, if there is one.

    Raises:
        QuotaExceeded: they are more than are left; nothing is booked.
    """
    with wall.behind(engine, tenant).begin() as connection:
        limits = limits_of(connection, tenant)
        if limits.samples_per_minute is None:
            return ()
        now = now_of(connection)
        values = {"tenant": tenant, "measure": "samples", "since": minute(now)[0], "amount": images}
        booked = (
            insert(tenant_usage)
            .values(values)
            .on_conflict_do_update(
                index_elements=["tenant", "measure", "since"], set_={"amount": tenant_usage.c.amount + images}
            )
            .returning(tenant_usage.c.amount)
        )
        used = connection.execute(booked).scalar_one()
        if used > limits.samples_per_minute:  # raised within the transaction, which takes the booking back
            raise _exceeded([_quota("samples_per_minute", limits, used - images, now)], f"; this asks for {images}")
        return (_quota("samples_per_minute", limits, used, now),)


def _limited(limits: Limits, names: Iterable[str]) -> list[str]:
    return [name for name in names if getattr(limits, name) is not None]


def _quotas(connection: Connection, tenant: str, names: Iterable[str]) -> tuple[Quota, ...]:
    limits = limits_of(connection, tenant)
    limited = _limited(limits, names)
    if not limited:
        return ()
    now = now_of(connection)
    used = {name: MEASURES[name].count(connection, tenant, now) for name in limited}
    return tuple(_quota(name, limits, amount, now) for name, amount in used.items())


def _quota(name: str, limits: Limits, used: float, now: datetime) -> Quota:
    limit, measure = getattr(limits, name), MEASURES[name]
    if measure.window is None:
        return Quota(name, limit, used, measure.unit)
    begin, end = measure.window(now)
    return Quota(
        name, limit, used, measure.unit, int((end - begin).total_seconds()), math.ceil((end - now).total_seconds())
    )


def _exceeded(exceeded: Iterable[Quota], asked: str = "") -> QuotaExceeded:
    found = tuple(exceeded)
    wait = max(quota.reset or RETRY_SECONDS for quota in found)
    return QuotaExceeded("; ".join(map(str, found)) + asked, quotas=found, retry_after=wait)
