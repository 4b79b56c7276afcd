"""The audit log, as a tenant's administrators see it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from api.schemas.common import Output, PageQuery
from jobs.audit import Action, Entry, Wanted

_WORD = r"^[A-Za-z0-9._@-]+$"
"""Ids and tenants' names."""


class AuditEntryObject(Output):
    """One entry. `hash` is the SHA-256 of its JSON without `hash`, in canonical form (RFC 8785); `previous` is the hash
    of the entry before it."""

    object: Literal["audit_entry"] = "audit_entry"
    tenant: str
    seq: int = Field(description="Counts from 1 in the tenant's chain, without a gap.")
    at: Annotated[str, Field(json_schema_extra={"format": "date-time"})] = Field(
        description="By the database's clock, to the microsecond."
    )
    actor: str = Field(
        description="The id of an API key; `operator` for a command on the service's machine, `service` for a worker, "
        "`anybody` where the service asks for no keys.",
        examples=["key_019ab5f0c1de7a6b8c3d2e1f0a9b8c7d"],
    )
    actor_name: str | None = Field(description="The key's name, or the worker's.")
    action: str = Field(description="What was done.", examples=[str(Action.JOB_SUBMIT)])
    object_id: str = Field(description="The id of what it was done to; a report has that of its job.")
    before: str | None = Field(description="SHA-256 of what was changed, before; of a record, of its file.")
    after: str | None = Field(description="The same, after.")
    request_id: str | None = Field(description="Finds the request in the service's log.")
    details: dict[str, str | int | bool | None]
    previous: str
    hash: str

    @classmethod
    def of(cls, entry: Entry) -> AuditEntryObject:
        """Describe an entry: as it is exported."""
        return cls(**entry.to_json())


class AuditQuery(PageQuery):
    """The entries that are asked for."""

    action: Action | None = Field(default=None, description="Only entries of this action.")
    actor: Annotated[str | None, Field(max_length=64, pattern=_WORD)] = Field(
        default=None, description="Only entries by this API key (its id), or by `operator`, `service` or `anybody`."
    )
    object_id: Annotated[str | None, Field(max_length=64, pattern=_WORD)] = Field(
        default=None, description="Only entries about what has this id."
    )
    since: AwareDatetime | None = Field(default=None, description="Only entries of this time or later.")
    until: AwareDatetime | None = Field(default=None, description="Only entries before this time.")
    order: Literal["newest", "oldest"] = Field(default="newest", description="Which come first.")

    def wanted(self) -> Wanted:
        """Return what is asked for, whatever page."""
        return Wanted(**self.model_dump(exclude={"limit", "after", "order"}))
