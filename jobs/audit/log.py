"""The audit log in Postgres: written to, listed, and read from its beginning."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, insert, select, tuple_

from jobs import wall
from jobs.audit.entries import Action, Actor, Details, Entry
from jobs.paging import Page, check_limit, page, read_number
from jobs.schema import audit_log

NONE: Details = {}
BATCH = 1000
"""Entries that are read at once, where all are."""


def write(
    connection: Connection,
    by: Actor,
    action: Action,
    tenant: str,
    object_id: str,
    *,
    before: str | None = None,
    after: str | None = None,
    details: Details = NONE,
) -> None:
    """Write an entry at the end of the chain of ``tenant``, in the transaction that makes it true.

    Call it last there: until the commit, whoever else writes into this chain waits. Of a transaction that writes into
    several chains, in the order of the tenants' names: two such could wait for each other else.

    Args:
        object_id: of what ``action`` speaks of.
        before, after: digests of what was changed (``entries.digest``), where there is something.
        details: a few words for people. Never prompts, images or secrets.
    """
    values = {
        "tenant": tenant,
        "actor": by.id,
        "actor_name": by.name,
        "action": str(action),
        "object_id": object_id,
        "before": before,
        "after": after,
        "request_id": by.request_id,
        "details": dict(details),
    }
    connection.execute(insert(audit_log).inline().values(values))


@dataclass(frozen=True)
class Wanted:
    """The entries that are wanted: those of which all of it is so. ``since``, ``until``: with a time zone; the first is
    included, the second not."""

    action: Action | None = None
    actor: str | None = None
    object_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        """Yield what must hold of a row of ``audit_log``."""
        if self.action is not None:
            yield audit_log.c.action == str(self.action)
        if self.actor is not None:
            yield audit_log.c.actor == self.actor
        if self.object_id is not None:
            yield audit_log.c.object_id == self.object_id
        if self.since is not None:
            yield audit_log.c.at >= self.since
        if self.until is not None:
            yield audit_log.c.at < self.until


ALL = Wanted()
"""Every entry."""


class AuditLog:
    """The audit log in Postgres. What changes something writes its entry itself (:func:`write`)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note(self, by: Actor, action: Action, tenant: str, object_id: str, details: Details = NONE) -> None:
        """Write an entry of something that changes nothing in the database: before what it tells of is handed out."""
        with wall.behind(self._engine, tenant).begin() as connection:
            write(connection, by, action, tenant, object_id, details=details)

    def list(
        self,
        tenant: str,
        wanted: Wanted = ALL,
        limit: int = 20,
        after: str | None = None,
        *,
        oldest_first: bool = False,
    ) -> Page[Entry]:
        """Return a page of a tenant's entries, newest first unless ``oldest_first``. ``after``: the ``next`` of an
        earlier page.

        Raises:
            BadCursor: ``after`` is not such a cursor.
        """
        seq = audit_log.c.seq
        query = select(audit_log).where(audit_log.c.tenant == tenant, *wanted.conditions())
        if after is not None:
            last = read_number(after)
            query = query.where(seq > last if oldest_first else seq < last)
        query = query.order_by(seq if oldest_first else seq.desc()).limit(check_limit(limit) + 1)
        with wall.behind(self._engine, tenant).connect() as connection:
            found: tuple[Row[Any], ...] = tuple(connection.execute(query))
        return page(found, limit, _to_entry, by=lambda row: str(row.seq))

    def entries(self, tenant: str | None = None) -> Iterator[Entry]:
        """Yield every entry of a tenant (``None``: of all, one after another), oldest first."""
        place = tuple_(audit_log.c.tenant, audit_log.c.seq)
        query = select(audit_log).order_by(audit_log.c.tenant, audit_log.c.seq).limit(BATCH)
        if tenant is not None:
            query = query.where(audit_log.c.tenant == tenant)
        last: tuple[str, int] | None = None
        while True:
            some = query if last is None else query.where(place > last)
            with self._engine.connect() as connection:
                found = connection.execute(some).all()
            yield from map(_to_entry, found)
            if len(found) < BATCH:
                return
            last = (found[-1].tenant, found[-1].seq)


def _to_entry(row: Row[Any]) -> Entry:
    return Entry(**row._mapping)
