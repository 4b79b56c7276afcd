"""What of a tenant is measured, each once: how it is counted, in which unit and over which time.
``jobs.tenants.Limits`` has a field of each name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

from sqlalchemy import BigInteger, Connection, cast, column, func, select, true, union_all

from jobs.schema import generators, jobs, reports, tenant_usage
from jobs.states import Status

Count = Callable[[Connection, str, datetime], float]
Window = Callable[[datetime], tuple[datetime, datetime]]


@dataclass(frozen=True)
class Measure:
    """A way to measure a tenant. ``count``: how much it uses at a time, of which ``window`` says the begin and the end
    of what is counted together. ``refuses_jobs``: whether a new job is refused once the limit is reached."""

    unit: str
    count: Count
    window: Window | None = None
    refuses_jobs: bool = False


def now_of(connection: Connection) -> datetime:
    """Return the database's time, as UTC."""
    now: datetime = connection.execute(select(func.now())).scalar_one()
    return now.astimezone(UTC)


def minute(now: datetime) -> tuple[datetime, datetime]:
    """Return the minute that ``now`` is in: its begin and its end."""
    begin = now.replace(second=0, microsecond=0)
    return begin, begin + timedelta(minutes=1)


def month(now: datetime) -> tuple[datetime, datetime]:
    """Return the month that ``now`` is in: its begin and its end."""
    begin = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return begin, (begin + timedelta(days=32)).replace(day=1)


def _count_jobs(*statuses: Status) -> Count:
    def count(connection: Connection, tenant: str, now: datetime) -> int:
        mine = (jobs.c.tenant == tenant, jobs.c.status.in_([str(status) for status in statuses]))
        return connection.execute(select(func.count()).select_from(jobs).where(*mine)).scalar_one()

    return count


def _training_minutes(connection: Connection, tenant: str, now: datetime) -> float:
    """What was booked this month, and what runs now."""
    seconds = func.extract("epoch", func.now() - jobs.c.held_since)
    held = select(func.coalesce(func.sum(seconds), 0)).where(jobs.c.tenant == tenant, jobs.c.held_since.is_not(None))
    running = float(connection.execute(held).scalar_one())
    return (_booked(connection, tenant, "training_seconds", month(now)[0]) + running) / 60


def _samples(connection: Connection, tenant: str, now: datetime) -> float:
    return _booked(connection, tenant, "samples", minute(now)[0])


def _booked(connection: Connection, tenant: str, measure: str, since: datetime) -> float:
    mine = (tenant_usage.c.tenant == tenant, tenant_usage.c.measure == measure, tenant_usage.c.since == since)
    return connection.execute(select(tenant_usage.c.amount).where(*mine)).scalar_one_or_none() or 0.0


def _stored_bytes(connection: Connection, tenant: str, now: datetime) -> int:
    """Of all files that were published, of generators and of reports."""
    of_reports = reports.join(jobs, jobs.c.id == reports.c.job_id)
    files = union_all(
        select(generators.c.files).where(generators.c.tenant == tenant),
        select(generators.c.pair).where(generators.c.tenant == tenant),
        select(reports.c.files).select_from(of_reports).where(jobs.c.tenant == tenant),
    ).subquery()
    each = func.jsonb_each(files.c.files).table_valued(column("key"), column("value")).lateral()
    size = cast(func.jsonb_extract_path_text(each.c.value, "size"), BigInteger)
    total = select(func.coalesce(func.sum(size), 0)).select_from(files.join(each, true()))
    return int(connection.execute(total).scalar_one())


MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "queued_jobs": Measure("jobs", _count_jobs(Status.QUEUED), refuses_jobs=True),
        # No job is refused for it: those that wait are passed over (``jobs.turns``).
        "running_jobs": Measure("jobs", _count_jobs(Status.RUNNING, Status.CANCELLING)),
        "training_minutes": Measure("minutes", _training_minutes, month, refuses_jobs=True),
        "stored_bytes": Measure("bytes", _stored_bytes, refuses_jobs=True),
        "samples_per_minute": Measure("images", _samples, minute),
    }
)
