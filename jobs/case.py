"""The case behind a job: the request for removal that it answers, who made it, and by when it is to be answered.

It is personal data, and may be corrected as long as the job is there. It stands in the job's row alone, and in the
job's answers: neither in a generator's folder nor in a record, which are handed out and cannot be corrected.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, Self

MAX_TICKET = 100
MAX_LINE = 200
"""Characters of who asked, and of why it must be answered."""
MAX_NOTE = 1000

TIMES = ("received_at", "due_at")


@dataclass(frozen=True)
class Case:
    """A request for removal, as far as it was told. ``ticket``: its number elsewhere; ``requester``: who asks;
    ``received_at``, ``due_at``: when it came, and by when it is to be answered, with a time zone; ``basis``: the law or
    contract that it relies on."""

    ticket: str | None = None
    requester: str | None = None
    received_at: datetime | None = None
    due_at: datetime | None = None
    basis: str | None = None
    note: str | None = None

    def to_json(self) -> dict[str, str]:
        """Return it as it is stored: what was told, times in UTC."""
        told = {name: value for name, value in vars(self).items() if value is not None}
        return {
            name: value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
            for name, value in told.items()
        }

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """Read a case as it is stored."""
        told = dict(stored)
        for name in TIMES:
            if name in told:
                told[name] = datetime.fromisoformat(told[name])
        return cls(**told)

    def changed(self, other: Case) -> list[str]:
        """List the fields in which two cases differ."""
        return [field.name for field in fields(self) if getattr(self, field.name) != getattr(other, field.name)]


NO_CASE = Case()
"""Of a job that was submitted without one."""
