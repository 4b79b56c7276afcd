"""An entry of the audit log, and what its hash is of: its JSON without the hash, in one spelling (RFC 8785)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson

FIRST_PREVIOUS = "0" * 64
"""What stands for the hash before a chain's first entry."""
_AT = "%Y-%m-%dT%H:%M:%S.%fZ"
"""To the microsecond, as Postgres keeps a time and hashes it."""


Details = Mapping[str, str | int | bool | None]


class Action(StrEnum):
    """An action in the audit log: before the dot stands to what it was done."""

    JOB_SUBMIT = "job.submit"
    JOB_CANCEL = "job.cancel"
    JOB_CORRECT = "job.correct"
    JOB_RETRY = "job.retry"
    JOB_DELETE = "job.delete"
    GENERATOR_PUBLISH = "generator.publish"
    GENERATOR_RELEASE = "generator.release"
    GENERATOR_DELETE = "generator.delete"
    GENERATOR_SAMPLE = "generator.sample"
    GENERATOR_DOWNLOAD = "generator.download"
    REPORT_DOWNLOAD = "report.download"
    """A report has the id of its job."""
    KEY_CREATE = "key.create"
    KEY_ROTATE = "key.rotate"
    KEY_REVOKE = "key.revoke"
    SESSION_START = "session.start"
    """A session of the dashboard has the id of its key."""
    SESSION_END = "session.end"
    TENANT_CREATE = "tenant.create"
    TENANT_LIMIT = "tenant.limit"
    WEBHOOK_CREATE = "webhook.create"
    WEBHOOK_UPDATE = "webhook.update"
    WEBHOOK_ROTATE = "webhook.rotate"
    WEBHOOK_DELETE = "webhook.delete"
    WEBHOOK_REDELIVER = "webhook.redeliver"


@dataclass(frozen=True)
class Actor:
    """The one who did something. ``id``: of an API key, or that of one of the actors below. ``name``: the key's, or the
    worker's. ``request_id``: of the request that it was done by."""

    id: str
    name: str | None = None
    request_id: str | None = None


OPERATOR = Actor("operator")
"""Whoever types ``lethe`` on a machine that reaches the database."""
SERVICE = Actor("service")
"""The service itself: a worker, or the reaper."""
ANYBODY = Actor("anybody")
"""Whoever asks a service that asks for no keys."""


@dataclass(frozen=True)
class Entry:
    """One entry. ``seq`` counts from 1 in its tenant's chain. ``before``, ``after``: SHA-256 of what was changed
    (:func:`digest`; of a record, of its file), where there is something. ``previous``: the hash of the entry before.
    All hashes are hexadecimal."""

    tenant: str
    seq: int
    at: datetime
    actor: str
    actor_name: str | None
    action: str
    object_id: str
    before: str | None
    after: str | None
    request_id: str | None
    details: Details
    previous: str
    hash: str

    def to_json(self) -> dict[str, Any]:
        """Return it as it is exported. What its hash is of is all of it but the hash."""
        at = self.at.astimezone(UTC).strftime(_AT)
        return {"object": "audit_entry", **asdict(self), "at": at, "details": dict(self.details)}


def canonical(value: Any) -> bytes:
    """Write JSON in its one spelling: sorted keys, no spaces, UTF-8."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(value: Any) -> str:
    """Compute the SHA-256 of a value's canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()


def text_digest(text: str) -> str:
    """Compute the SHA-256 of a text in UTF-8, in hexadecimal: of a record, what ``sha256sum`` says of its file."""
    return hashlib.sha256(text.encode()).hexdigest()


def hash_of(document: Mapping[str, Any]) -> str:
    """Compute the hash that an exported entry must have."""
    return digest({name: value for name, value in document.items() if name != "hash"})
