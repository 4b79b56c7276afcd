"""What lists of jobs and of generators can both be asked for."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AwareDatetime, Field, ModelWrapValidatorHandler, PrivateAttr, model_validator

from api.schemas.common import PageQuery
from api.schemas.submission import MAX_METADATA
from jobs.case import MAX_TICKET
from jobs.finding import ID_END, METADATA, TICKET
from sfd_core.evaluation.verdict import Verdict


class FindQuery(PageQuery):
    """The page of a list, and what must be so of each item."""

    base_model: Annotated[str | None, Field(max_length=200)] = Field(
        default=None, description="Only those of this base model."
    )
    verdict: Verdict | None = Field(default=None, description="Only those with this verdict.")
    concept: Annotated[str | None, Field(max_length=200)] = Field(
        default=None, description="Only those that forget this concept."
    )
    ticket: Annotated[str | None, Field(max_length=MAX_TICKET)] = Field(
        default=None, description="Only those whose case has this ticket."
    )
    created_after: AwareDatetime | None = Field(default=None, description="Only those made at this time or later.")
    created_before: AwareDatetime | None = Field(default=None, description="Only those made before this time.")
    id: Annotated[str | None, Field(min_length=ID_END, max_length=36)] = Field(
        default=None, description="Only the one of this id, or those whose id ends in it."
    )
    _metadata: dict[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _take_metadata(cls, query: Any, read: ModelWrapValidatorHandler[Self]) -> Self:
        """Every ``metadata.KEY`` is a parameter, and no other is that is not known."""
        given = dict(query)
        metadata = {key: given.pop(key) for key in list(given) if key.startswith(METADATA) and key != METADATA}
        made = read(given)
        if twice := [key for key, value in metadata.items() if not isinstance(value, str)]:
            raise ValueError(f"{', '.join(twice)} must be given once")
        if len(metadata) > MAX_METADATA:
            raise ValueError(f"{len(metadata)} keys of metadata are asked for; a job has at most {MAX_METADATA}")
        made._metadata = {key.removeprefix(METADATA): value for key, value in metadata.items()}
        return made

    def asked(self) -> dict[str, Any]:
        """Return what must be so, by name, whatever page."""
        return {"metadata": self._metadata, **self.model_dump(exclude={"limit", "after"})}


METADATA_PARAMETER: dict[str, Any] = {
    "name": f"{METADATA}{TICKET}",
    "in": "query",
    "required": False,
    "schema": {"type": "string", "title": "Metadata.Ticket"},
    "description": "Only those with this ticket in their metadata. Likewise with any other key: `metadata.KEY`.",
}
"""How the document shows what :class:`FindQuery` takes of metadata: a parameter has one name there."""
