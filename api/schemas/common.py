"""What every resource shares: strict input, plain output, lists and problems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from sfd_core.json_values import faults

T = TypeVar("T")


class Input(BaseModel):
    """The base of what a client sends: exact types, and no field that is not known."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Output(BaseModel):
    """The base of what the service answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ListOf(Output, Generic[T]):
    """A page of a list."""

    object: Literal["list"] = "list"
    data: list[T]
    has_more: bool = Field(description="Whether a page follows.")
    next: str | None = Field(description="Send it as `after` for the page that follows; null on the last.")


class WrongValue(Output):
    """One wrong value of the request."""

    pointer: str = Field(
        description="A JSON pointer (RFC 6901) to the wrong value.", examples=["/forget/0/override", "/budget/images"]
    )
    detail: str = Field(description="What is wrong, and what would be right.")
    place: Literal["body", "query", "path", "header"] = Field(alias="in", description="Where the pointer points into.")


class ProblemDocument(BaseModel):
    """An error (RFC 9457). Programs decide by `code`; `detail` is for people."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Leads to the code's entry in the documentation.")
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable; every code is listed in the documentation.")
    request_id: str | None = Field(description="Finds the request in the service's log.")
    errors: list[WrongValue] = Field(default=[], description="Each wrong value, where values are wrong.")


class Health(Output):
    """The state of the service: whether it can do its work."""

    status: Literal["ok", "degraded", "unavailable"] = Field(
        description="`degraded`: submitting works, and what was submitted runs when the broken part is back."
    )
    checks: dict[str, str] = Field(default={}, description="`ok`, or what is wrong, by part.")


class QueryInput(BaseModel):
    """A query: text, so numbers are read from it; and no parameter that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PageQuery(QueryInput):
    """The page of a list that is asked for."""

    limit: Annotated[int, Field(ge=1, le=100, description="Maximum number of items.")] = 20
    after: Annotated[
        str | None, Field(max_length=200, description="The `next` of the page before; leave it out for the first.")
    ] = None


JsonObject = dict[str, Any]


def storable(text: str) -> str:
    """Refuse what Postgres cannot hold: a NUL character or half of a surrogate pair."""
    for _, wrong in faults(text):
        raise ValueError(wrong)
    return text


def an_object(value: Any) -> Any:
    """Refuse what is no JSON object: of a body that is checked member by member later."""
    if not isinstance(value, Mapping):
        raise ValueError("must be an object")
    return value
