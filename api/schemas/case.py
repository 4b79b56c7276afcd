"""The case behind a job: as it is sent, checked, corrected and shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, StringConstraints, WithJsonSchema

from api.schemas.common import Output, an_object, storable
from jobs.case import MAX_LINE, MAX_NOTE, MAX_TICKET, NO_CASE, Case
from sfd_core.errors import Collected, FieldError, InvalidRequest
from sfd_core.request.reading import Text, known_fields_only, read, read_right_fields

EXAMPLE_TIME = "2026-12-01T17:00:00+01:00"
FIRST_YEAR, LAST_YEAR = 1990, 2199
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)\Z")


def _time(given: Any) -> datetime:
    """Read a time as RFC 3339 writes it, and nothing else that might be one."""
    wanted = f"must be a time with its offset from UTC, such as {EXAMPLE_TIME} (RFC 3339)"
    if not isinstance(given, str) or not _RFC_3339.match(given):
        raise ValueError(wanted)
    try:
        time = datetime.fromisoformat(given.upper())
    except ValueError as error:
        raise ValueError(f"{wanted}: {error}") from None
    if not FIRST_YEAR <= time.year <= LAST_YEAR:
        raise ValueError(f"must be in the years {FIRST_YEAR} to {LAST_YEAR}")
    return time


def _printable(text: str, allowed: str = "") -> str:
    if strange := [char for char in text if unicodedata.category(char) == "Cc" and char not in allowed]:
        raise ValueError(f"must not hold the control character {strange[0]!a}")
    return storable(text)


def _line(longest: int) -> Any:
    return Annotated[
        Text,
        StringConstraints(strip_whitespace=True, min_length=1, max_length=longest),
        AfterValidator(_printable),
    ]


Time = Annotated[
    datetime,
    BeforeValidator(_time),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": [EXAMPLE_TIME]}),
]
Note = Annotated[
    Text,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NOTE),
    AfterValidator(lambda text: _printable(text, "\n\r\t")),
]


@known_fields_only
@dataclass(frozen=True)
class CaseBody:
    """The request for removal that a job answers, as far as it is told. It is personal data: it is shown to whoever may
    see the job, and is neither in the generator's folder nor in the signed record."""

    ticket: _line(MAX_TICKET) | None = None  # type: ignore[valid-type]
    """Its number in your own system. Jobs and generators are found by it."""
    requester: _line(MAX_LINE) | None = None  # type: ignore[valid-type]
    """Who asks for it."""
    received_at: Time | None = None
    """When it came."""
    due_at: Time | None = None
    """By when it is to be answered; after `received_at`."""
    basis: Annotated[_line(MAX_LINE) | None, Field(examples=["GDPR Art. 17"])] = None  # type: ignore[valid-type]
    """The law, contract or judgment that it relies on."""
    note: Note | None = None
    """Anything else, also over several lines."""


@known_fields_only
@dataclass(frozen=True)
class Correction:
    """A change of a job: of its case, and of nothing else."""

    case: CaseBody | None
    """The fields that change (RFC 7396): null removes one, what is left out stays. Null: removes the whole case."""


CorrectionBody = Annotated[Mapping[str, Any], PlainValidator(an_object, json_schema_input_type=Correction)]
"""A correction as it came."""


class CaseObject(Output):
    """The request for removal that a job answers, as far as it was told."""

    ticket: str | None
    requester: str | None
    received_at: datetime | None
    due_at: datetime | None
    basis: str | None
    note: str | None

    @classmethod
    def of(cls, case: Case) -> CaseObject | None:
        """Describe a case; None where nothing was told."""
        return None if case == NO_CASE else cls(**asdict(case))


def read_case(raw: Any, at: str = "/case") -> Case:
    """Read a case as JSON has it. ``at``: its JSON pointer in the body.

    Raises:
        InvalidRequest: with every wrong value.
    """
    if raw is None:
        return NO_CASE
    right, wrong = read_right_fields(CaseBody, raw)
    errors = [FieldError(at + each.pointer, each.message) for each in wrong]
    received, due = right.get("received_at"), right.get("due_at")
    if received is not None and due is not None and due <= received:
        said = f"must be after received_at, {received.isoformat()}"
        errors.append(FieldError(f"{at}/due_at", said))
    if errors:
        raise InvalidRequest(tuple(errors))
    return Case(**right)


def corrected(case: Case, body: Mapping[str, Any]) -> Case:
    """Return ``case`` with what a :class:`Correction` changes of it.

    Raises:
        InvalidRequest: with every wrong value.
    """
    change = body.get("case")
    collected = Collected()
    collected.attempt(lambda: read(Correction, {**body, "case": None} if "case" in body else body))
    merged = {**case.to_json(), **change} if isinstance(change, Mapping) else change
    new: Case | None = collected.attempt(lambda: read_case(merged))
    if new is None or collected.errors:
        raise InvalidRequest(tuple(collected.errors))
    return new
