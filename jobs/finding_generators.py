"""What a list of generators is asked for: as of jobs, whose labels they are found by, each by its own job's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Select, func, select, union_all

from jobs.finding import ID_END, is_label, labelled, labels_of, made, named, storable
from jobs.schema import generators
from sfd_core.evaluation.verdict import Verdict

GENERATOR = "generator"
"""The label of the end of a generator's id."""
GeneratorStatus = Literal["published", "withheld"]


@dataclass(frozen=True)
class WantedGenerators:
    """The generators that are wanted: those of which all of it is so. ``ticket``, ``metadata``: of its job.
    ``created_after``, ``created_before``: with a time zone; the first is included, the second not. ``id``: an id or the
    end of one. ``text``: a ticket, a forgotten concept, an id or the end of one."""

    status: GeneratorStatus | None = None
    base_model: str | None = None
    verdict: Verdict | None = None
    concept: str | None = None
    ticket: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    created_after: datetime | None = None
    created_before: datetime | None = None
    id: str | None = None
    text: str | None = None

    def conditions(self, tenant: str) -> Iterator[ColumnElement[bool]]:
        """Yield what must hold of a row of ``generators``."""
        yield generators.c.tenant == tenant
        if self.status is not None:
            yield generators.c.status == self.status
        if self.verdict is not None:
            yield generators.c.verdict == self.verdict
        if self.base_model is not None:
            yield generators.c.base_model == storable(self.base_model)
        for one in labels_of(self.concept, self.ticket, self.metadata):
            yield generators.c.job_id.in_(labelled(tenant, one))
        yield from made(generators, "gen", self.created_after, self.created_before)
        if self.id is not None:
            yield generators.c.job_id.in_(_ends_in(tenant, self.id))
        if self.text is not None:
            either = union_all(labelled(tenant, *named(self.text)), _ends_in(tenant, self.text))
            yield generators.c.job_id.in_(either)


ALL_GENERATORS = WantedGenerators()
"""Every generator, withheld ones too."""


def _ends_in(tenant: str, text: str) -> Select[Any]:
    """The jobs whose generator's id ends so: by its label, which has the last characters, and then the rest."""
    found = generators.alias("found")
    return select(found.c.job_id).where(
        found.c.job_id.in_(labelled(tenant, is_label(GENERATOR, text[-ID_END:]))),
        func.right(found.c.id, len(text)) == storable(text),
    )
