"""What a list of jobs is asked for: a ticket, a concept, a verdict, a time, what is due, the end of an id.

Tickets, metadata, forgotten concepts and the ends of ids, which pages show, stand in ``job_labels``, which triggers
write with the job: a row each, by the digest of its name and value. Looking for one is then an equality, and that is
all that Postgres answers from an index behind row-level security: operators of JSON might tell a row that is not seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, and_, false, func, or_, select

from jobs.ids import Kind, first_id
from jobs.schema import job_labels, jobs
from jobs.states import Status
from sfd_core.evaluation.verdict import Verdict

ID, CONCEPT, CASE_TICKET = "id", "concept", "case.ticket"
METADATA = "metadata."
"""Before the key, the name of a label from a job's metadata."""
TICKET = "ticket"
"""The key of the metadata under which a ticket is looked for, beside that of the case."""
ID_END = 6
"""Characters of the end of an id by which it is found, at least."""
CLOCKS = 3600.0
"""How many seconds the clock that an id was made by may be from the database's."""


@dataclass(frozen=True)
class Wanted:
    """The jobs that are wanted: those of which all of it is so. ``ticket``: their case's. ``metadata``: values by key.
    ``created_after``, ``created_before``, ``due_before``: with a time zone; the first is included, the others not.
    ``overdue``: True for those alone whose case is due, of which no generator is served and which were not cancelled
    (:meth:`jobs.job.Job.overdue`). ``id``: an id or the end of one. ``text``: a ticket, a forgotten concept, an id or
    the end of one."""

    status: Status | None = None
    base_model: str | None = None
    verdict: Verdict | None = None
    concept: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    created_after: datetime | None = None
    created_before: datetime | None = None
    id: str | None = None
    text: str | None = None
    ticket: str | None = None
    overdue: bool | None = None
    due_before: datetime | None = None

    @property
    def due(self) -> Column[datetime] | None:
        """The time by which the list is sorted, earliest first; None: newest first."""
        if self.overdue:
            return jobs.c.overdue_from
        return None if self.due_before is None else jobs.c.due_at

    def conditions(self, tenant: str) -> Iterator[ColumnElement[bool]]:
        """Yield what must hold of a row of ``jobs``."""
        yield jobs.c.tenant == tenant
        if self.status is not None and self.verdict is None:
            yield jobs.c.status == str(self.status)
        if self.verdict is not None:
            yield jobs.c.verdict == self.verdict
            # A verdict comes with success alone: what has none need not be read to be left out.
            if self.status not in (None, Status.SUCCEEDED):
                yield false()
        if self.base_model is not None:
            yield jobs.c.base_model == storable(self.base_model)
        for one in labels_of(self.concept, self.ticket, self.metadata):
            yield jobs.c.id.in_(labelled(tenant, one))
        yield from made(jobs, "job", self.created_after, self.created_before)
        if self.overdue:
            yield jobs.c.overdue_from <= func.now()
        if self.due_before is not None:
            yield jobs.c.due_at < self.due_before
        if self.id is not None:
            yield jobs.c.id.in_(labelled(tenant, _ends_in(self.id)))
        if self.text is not None:
            yield jobs.c.id.in_(labelled(tenant, _ends_in(self.text), *named(self.text)))


ALL = Wanted()
"""Every job."""


def storable(asked: str) -> str:
    """Return ``asked`` as it can be asked for: Postgres refuses the NUL character even in a question, and nothing that
    is stored holds one."""
    return asked.replace("\0", "\ufffd")


def label(name: str, value: str) -> bytes:
    """Make the digest by which a label is found; so does the trigger (``migrations``)."""
    return hashlib.sha256(f"{len(name)}:{name}{value}".encode("utf-8", "replace")).digest()


def is_label(name: str, value: str) -> ColumnElement[bool]:
    """Say of a row of labels that it is this one."""
    return job_labels.c.label == label(name, value)


def labels_of(concept: str | None, ticket: str | None, metadata: Mapping[str, str]) -> Iterator[ColumnElement[bool]]:
    """Yield the labels that a job must have which forgets this, and whose case and metadata say that."""
    if concept is not None:
        yield is_label(CONCEPT, concept)
    if ticket is not None:
        yield is_label(CASE_TICKET, ticket)
    for key, value in metadata.items():
        yield is_label(METADATA + key, value)


def named(text: str) -> tuple[ColumnElement[bool], ...]:
    """Return the labels of which a job has one whose ticket this is, or which forgets it."""
    return tuple(is_label(name, text) for name in (CASE_TICKET, METADATA + TICKET, CONCEPT))


def labelled(tenant: str, *labels: ColumnElement[bool]) -> Select[Any]:
    """Select the ids of the tenant's jobs that have any of these labels."""
    return select(job_labels.c.job_id).where(job_labels.c.tenant == tenant, or_(*labels))


def made(table: Table, kind: Kind, after: datetime | None, before: datetime | None) -> Iterator[ColumnElement[bool]]:
    """Yield what must hold of a row that was made in this time. Ids sort by the time at which they were made: so it
    need not look at every one of the tenant."""
    if after is not None:
        yield table.c.id >= first_id(kind, after.timestamp() - CLOCKS)
        yield table.c.created_at >= after
    if before is not None:
        yield table.c.id < first_id(kind, before.timestamp() + CLOCKS)
        yield table.c.created_at < before


def _ends_in(text: str) -> ColumnElement[bool]:
    ends = func.right(job_labels.c.job_id, len(text)) == storable(text)
    return and_(is_label(ID, text[-ID_END:]), ends)
