"""What a list of jobs is asked for: a ticket, a concept, a verdict, a time, the end of an id.

Metadata, forgotten concepts and the ends of ids, which pages show, stand in ``job_labels``, which a trigger writes with
the job: a row each, by the digest of its name and value. Looking for one is then an equality, and that is all that
Postgres answers from an index behind row-level security: operators of JSON might tell a row that is not seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select

from jobs.ids import first_id
from jobs.schema import job_labels, jobs
from jobs.states import Status
from sfd_core.evaluation.verdict import Verdict

ID, CONCEPT = "id", "concept"
METADATA = "metadata."
"""Before the key, the name of a label from a job's metadata."""
TICKET = "ticket"
"""The key of the metadata under which a request for removal has its number."""
ID_END = 6
"""Characters of the end of an id by which it is found, at least."""
CLOCKS = 3600.0
"""How many seconds the clock that an id was made by may be from the database's."""


@dataclass(frozen=True)
class Wanted:
    """The jobs that are wanted: those of which all of it is so. ``metadata``: values by key. ``created_after``,
    ``created_before``: with a time zone; the first is included, the second not. ``id``: an id or the end of one.
    ``text``: a ticket, a forgotten concept, an id or the end of one."""

    status: Status | None = None
    base_model: str | None = None
    verdict: Verdict | None = None
    concept: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    created_after: datetime | None = None
    created_before: datetime | None = None
    id: str | None = None
    text: str | None = None

    def conditions(self, tenant: str) -> Iterator[ColumnElement[bool]]:
        """Yield what must hold of a row of ``jobs``."""
        yield jobs.c.tenant == tenant
        if self.status is not None:
            yield jobs.c.status == str(self.status)
        if self.verdict is not None:
            yield jobs.c.verdict == self.verdict
        if self.base_model is not None:
            yield jobs.c.base_model == _storable(self.base_model)
        if self.concept is not None:
            yield _labelled(tenant, _is(CONCEPT, self.concept))
        for key, value in self.metadata.items():
            yield _labelled(tenant, _is(METADATA + key, value))
        if self.created_after is not None:
            # Ids sort by the time at which they were made: so it need not look at every job of the tenant.
            yield jobs.c.id >= first_id("job", self.created_after.timestamp() - CLOCKS)
            yield jobs.c.created_at >= self.created_after
        if self.created_before is not None:
            yield jobs.c.id < first_id("job", self.created_before.timestamp() + CLOCKS)
            yield jobs.c.created_at < self.created_before
        if self.id is not None:
            yield _labelled(tenant, _ends_in(self.id))
        if self.text is not None:
            names = (METADATA + TICKET, CONCEPT)
            yield _labelled(tenant, _ends_in(self.text), *(_is(name, self.text) for name in names))


ALL = Wanted()
"""Every job."""


def _storable(asked: str) -> str:
    """Return ``asked`` as it can be asked for: Postgres refuses the NUL character even in a question, and nothing that
    is stored holds one."""
    return asked.replace("\0", "\ufffd")


def label(name: str, value: str) -> bytes:
    """Make the digest by which a label is found; so does the trigger (``migrations``)."""
    return hashlib.sha256(f"{len(name)}:{name}{value}".encode("utf-8", "replace")).digest()


def _labelled(tenant: str, *labels: ColumnElement[bool]) -> ColumnElement[bool]:
    """A job of the tenant with any of these labels."""
    return jobs.c.id.in_(select(job_labels.c.job_id).where(job_labels.c.tenant == tenant, or_(*labels)))


def _is(name: str, value: str) -> ColumnElement[bool]:
    return job_labels.c.label == label(name, value)


def _ends_in(text: str) -> ColumnElement[bool]:
    ends = func.right(job_labels.c.job_id, len(text)) == _storable(text)
    return and_(_is(ID, text[-ID_END:]), ends)
