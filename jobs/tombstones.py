"""Tombstones, as deletions left them (``jobs.deleting``): looked up instead of what is no more, listed, and worked off
by the reaper, which removes the files after."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from sqlalchemy import Connection, Engine, Row, func, select, update

from jobs import wall
from jobs.errors import Deleted, LetheError, TombstoneNotFound
from jobs.ids import is_id
from jobs.job import StoredFile, attempt_prefix
from jobs.paging import Page, check_limit, page, read_cursor
from jobs.record.statement import subjects
from jobs.record.tombstone import TOMBSTONE_TYPE, Deletion, read_deletion
from jobs.record.verify import read_statement
from jobs.schema import reports, tombstones


@dataclass(frozen=True)
class Tombstone:
    """A tombstone: what is kept of a job or a generator that was deleted. ``statement``: the signed envelope, byte for
    byte. ``bytes``: of the files that went; of a job without those that its generator's tombstone has.
    ``files_removed_at``: None while they wait for a reaper."""

    id: str
    tenant: str
    deleted: str
    job_id: str
    attempt: int | None
    deleted_at: datetime
    statement: str
    bytes: int
    files_removed_at: datetime | None

    @property
    def kind(self) -> Literal["job", "generator"]:
        """What it is the tombstone of."""
        return "job" if is_id("job", self.deleted) else "generator"

    @cached_property
    def _stated(self) -> Mapping[str, Any]:
        return read_statement(self.statement, TOMBSTONE_TYPE)

    @property
    def deletion(self) -> Deletion:
        """Who deleted it, when and why, and what it was, as it was signed."""
        return read_deletion(self._stated)

    @property
    def files(self) -> Mapping[str, str]:
        """The SHA-256 in hexadecimal of each file that went, by its name in the archive."""
        return subjects(dict(self._stated))

    @property
    def prefix(self) -> str | None:
        """Where the files of a generator lie in the artefact store, beside those of its report; None of a job."""
        return None if self.attempt is None else attempt_prefix(self.job_id, self.attempt)


def find(connection: Connection, deleted: str, tenant: str | None = None) -> Tombstone | None:
    """Return the tombstone of a job or a generator, by the id of that; ``None`` if it was not deleted, or is another
    tenant's."""
    mine = () if tenant is None else (tombstones.c.tenant == tenant,)
    row = connection.execute(select(tombstones).where(tombstones.c.deleted == deleted, *mine)).one_or_none()
    return None if row is None else to_tombstone(row)


def missing(connection: Connection, deleted: str, tenant: str | None, otherwise: LetheError) -> LetheError:
    """Return the error to raise for what is not there: that it was deleted, or ``otherwise``."""
    found = find(connection, deleted, tenant)
    if found is None:
        return otherwise
    said = found.deletion
    return Deleted(f"{found.kind} {deleted} was deleted at {said.at} by {said.by}: {said.reason}", found)


def get(engine: Engine, deleted: str, tenant: str) -> Tombstone:
    """Return the tombstone of a job or a generator, by the id of that.

    Raises:
        TombstoneNotFound: it was not deleted, or is another tenant's.
    """
    found = None
    if is_id("job", deleted) or is_id("gen", deleted):
        with wall.behind(engine, tenant).connect() as connection:
            found = find(connection, deleted, tenant)
    if found is None:
        raise TombstoneNotFound(deleted)
    return found


def listed(engine: Engine, tenant: str, limit: int = 20, after: str | None = None) -> Page[Tombstone]:
    """Return a page of the tenant's tombstones, newest first.

    Raises:
        BadCursor: ``after`` is not the ``next`` of an earlier page.
    """
    where = [tombstones.c.tenant == tenant]
    if after is not None:
        where.append(tombstones.c.id < read_cursor("del", after))
    newest = select(tombstones).where(*where).order_by(tombstones.c.id.desc()).limit(check_limit(limit) + 1)
    with wall.behind(engine, tenant).connect() as connection:
        found: Sequence[Row[Any]] = connection.execute(newest).all()
    return page(found, limit, to_tombstone)


def with_files(engine: Engine, limit: int = 100) -> Sequence[Tombstone]:
    """Return up to ``limit`` tombstones whose files are still to be removed, oldest first."""
    waiting = select(tombstones).where(tombstones.c.files_removed_at.is_(None)).order_by(tombstones.c.id).limit(limit)
    with engine.connect() as connection:
        return [to_tombstone(row) for row in connection.execute(waiting)]


def removed(engine: Engine, tombstone: Tombstone) -> None:
    """Say that no file is left. To say so twice changes nothing."""
    waiting = (tombstones.c.id == tombstone.id, tombstones.c.files_removed_at.is_(None))
    with engine.begin() as connection:
        connection.execute(update(tombstones).where(*waiting).values(files_removed_at=func.now()))


def still_named(engine: Engine, job_id: str) -> frozenset[str]:
    """Return the SHA-256 of each file that the report of a job names: of a generator that is deleted alone, those
    stay."""
    with engine.connect() as connection:
        files = connection.execute(select(reports.c.files).where(reports.c.job_id == job_id)).scalar_one_or_none()
    return frozenset(StoredFile(**stored).sha256 for stored in (files or {}).values())


def deleted_of(engine: Engine, ids: Collection[str]) -> frozenset[str]:
    """Return which of these jobs and generators were deleted."""
    with engine.connect() as connection:
        found = connection.execute(select(tombstones.c.deleted).where(tombstones.c.deleted.in_(ids)))
        return frozenset(found.scalars())


def to_tombstone(row: Row[Any]) -> Tombstone:
    """Read a row of ``tombstones`` as a value."""
    return Tombstone(**row._mapping)
