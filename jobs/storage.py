"""What is stored, by kind, without reading the rows or walking a disk: triggers write what changes of the artefact
store (``schema.storage_counts``), and each place's reaper what it measured of its work folder
(``schema.work_folders``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import BigInteger, ColumnElement, Connection, Engine, cast, delete, func, insert, select
from sqlalchemy.dialects.postgresql import insert as insert_or

from jobs import rows, wall
from jobs.schema import jobs, storage_counts, work_folders

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "published": "Generators that are served.",
        "withheld": "Generators that did not pass, kept and not served.",
        "reports": "Reports with their pictures.",
        "leftovers": "Files of what was deleted that a worker has yet to remove.",
        "work": "Checkpoints in the workers' work folders, as of the last look.",
    }
)
"""What is told apart, in words."""
MANY = 200
"""Differences that are left as they are: adding up fewer is not worth the writing."""
SILENT_SECONDS = 24 * 3600.0
"""A work folder that nobody has measured for so long belongs to a worker that is gone."""


@dataclass(frozen=True)
class Stored:
    """An amount of one kind that is stored: so many generators, reports, deletions or work folders, and their bytes."""

    objects: int = 0
    bytes: int = 0


def usage(engine: Engine, tenant: str | None = None) -> Mapping[str, Stored]:
    """Return what a tenant has stored, or all tenants together, by kind. Every kind has an entry."""
    found = {kind: Stored() for kind in KINDS}
    counted = select(storage_counts.c.kind, _sum(storage_counts.c.objects), _sum(storage_counts.c.bytes))
    work = select(_sum(work_folders.c.objects), _sum(work_folders.c.bytes))
    if tenant is not None:
        counted = counted.where(storage_counts.c.tenant == tenant)
        work = work.where(work_folders.c.tenant == tenant)
    with wall.behind(engine, tenant).connect() as connection:
        for kind, objects, size in connection.execute(counted.group_by(storage_counts.c.kind)).tuples():
            found[kind] = Stored(objects, size)
        found["work"] = Stored(*connection.execute(work).tuples().one())
    return found


def add_up(engine: Engine) -> None:
    """Put one row a tenant and kind in the place of many, where there are many. Any number may do so at once."""
    columns = (storage_counts.c.tenant, storage_counts.c.kind, storage_counts.c.objects, storage_counts.c.bytes)
    taken = delete(storage_counts).returning(*columns).cte("taken")
    key = (taken.c.tenant, taken.c.kind)
    sums = select(*key, func.sum(taken.c.objects), func.sum(taken.c.bytes)).group_by(*key)
    more = func.count() - func.count(storage_counts.c.tenant.distinct()) * len(KINDS)
    with engine.begin() as connection:
        if connection.execute(select(more).select_from(storage_counts)).scalar_one() > MANY:
            connection.execute(insert(storage_counts).from_select(["tenant", "kind", "objects", "bytes"], sums))


def measured(engine: Engine, place: str, sizes: Mapping[str, int]) -> None:
    """Say what lies in a work folder now, in place of what was said before, and forget those of workers that are gone.

    Args:
        place: host and path.
        sizes: bytes by the job whose folder it is.
    """
    with engine.begin() as connection:
        gone = work_folders.c.measured_at < rows.from_now(-SILENT_SECONDS)
        connection.execute(delete(work_folders).where((work_folders.c.place == place) | gone))
        for tenant, stored in _by_tenant(connection, sizes).items():
            row = {"place": place, "tenant": tenant, "objects": stored.objects, "bytes": stored.bytes}
            # Another process of the same machine may have measured it just now, too.
            connection.execute(insert_or(work_folders).values(row).on_conflict_do_nothing())


def _by_tenant(connection: Connection, sizes: Mapping[str, int]) -> Mapping[str, Stored]:
    found: dict[str, Stored] = {}
    for job_id, tenant in connection.execute(select(jobs.c.id, jobs.c.tenant).where(jobs.c.id.in_(sizes))).tuples():
        before = found.get(tenant, Stored())
        found[tenant] = Stored(before.objects + 1, before.bytes + sizes[job_id])
    return found


def _sum(column: ColumnElement[int]) -> ColumnElement[int]:
    return cast(func.coalesce(func.sum(column), 0), BigInteger)
