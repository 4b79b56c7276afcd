"""Every error as one shape: an RFC 9457 problem document with a stable ``code`` and the request's id.

What is raised below the API comes from the catalogue in ``jobs.errors``; what only HTTP can get wrong is in
``HTTP_KINDS``. Nothing here repeats an exception's text unless it was written for users.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from api import ratelimit
from api.logs import log, request_id
from api.schemas.deletion import TombstoneObject
from jobs.errors import CATALOGUE, Deleted, ErrorKind, LetheError, QuotaExceeded
from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.json_values import readable
from sfd_core.request.reading import MOST_ERRORS

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = 5
"""Seconds that a 429 or 503 asks a client to wait, where nothing better is known."""

HTTP_KINDS: Mapping[str, ErrorKind] = {
    kind.code: kind
    for kind in (
        ErrorKind("malformed", 400, "The request cannot be read"),
        ErrorKind("method_not_allowed", 405, "This method is not allowed here"),
        ErrorKind("not_acceptable", 406, "The answer cannot be given in a form that is accepted"),
        ErrorKind("precondition_failed", 412, "It has changed since it was looked at"),
        ErrorKind("unsupported_media_type", 415, "The body must be JSON"),
    )
}
KINDS: Mapping[str, ErrorKind] = {**CATALOGUE, **HTTP_KINDS}
"""Every code that an answer of this API can hold."""

_BY_STATUS = {
    400: "malformed",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    412: "precondition_failed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    429: "too_many",
    503: "service_unavailable",
}


@dataclass(frozen=True)
class Wrong:
    """One wrong value. ``pointer``: a JSON pointer into the body; for a query, path or header value, its name."""

    pointer: str
    detail: str
    place: str = "body"

    def to_json(self) -> dict[str, str]:
        """Return it as it stands in ``errors``."""
        return {"pointer": readable(self.pointer), "detail": readable(self.detail), "in": self.place}


class Problem(Exception):
    """An answer that is an error. ``extra``: more members of the document, for programs."""

    def __init__(
        self,
        code: str,
        detail: str,
        errors: Sequence[Wrong] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.kind = KINDS[code]
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.extra = extra

    def to_json(self) -> dict[str, Any]:
        """Return the problem document. ``type`` leads to the code's entry in the documentation that the service
        serves."""
        document: dict[str, Any] = self.extra | {
            "type": f"/docs#error-{self.kind.code}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": readable(self.detail),
            "code": self.kind.code,
            "request_id": request_id(),
        }
        if self.errors:
            document["errors"] = [wrong.to_json() for wrong in self.errors[:MOST_ERRORS]]
        return document

    def response(self) -> Response:
        """Make the answer. It is never cached, and says when to come back if that may help."""
        headers = {"Cache-Control": "no-store", **self.headers}
        if self.kind.status in (429, 503):
            headers.setdefault("Retry-After", str(RETRY_AFTER))
        if self.kind.status == 401:
            headers.setdefault("WWW-Authenticate", 'Bearer realm="lethe"')
        return Response(orjson.dumps(self.to_json()), self.kind.status, headers, MEDIA_TYPE)


def invalid(errors: Iterable[Wrong], code: str = "invalid_request", **extra: Any) -> Problem:
    """Make a 422 that names every wrong value."""
    found = tuple(errors)
    many = "1 value is wrong" if len(found) == 1 else f"{len(found)} values are wrong"
    if len(found) > MOST_ERRORS:
        many += f", of which {MOST_ERRORS} are told"
    return Problem(code, f"{many}: see errors", found, **extra)


def wrong_fields(errors: Iterable[FieldError]) -> list[Wrong]:
    """Return what ``sfd_core`` found wrong, as it stands in ``errors``."""
    return [Wrong(error.pointer, error.message) for error in errors]


def pointer(parts: Iterable[object]) -> str:
    """Write a JSON pointer (RFC 6901) from its parts."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def problem_of(error: Exception) -> Problem:
    """Return what ``error`` is to a client. Anything that was not foreseen is ``internal``, without a word of what it
    was."""
    match error:
        case Problem():
            return error
        case QuotaExceeded():
            headers = {**ratelimit.fields(error.quotas), "Retry-After": str(error.retry_after)}
            return Problem(error.code, error.message, headers=headers, quotas=[quota.name for quota in error.quotas])
        case Deleted():
            return Problem(
                error.code, error.message, tombstone=TombstoneObject.of(error.tombstone).model_dump(mode="json")
            )
        case LetheError():
            extra = dict(error.extra)
            if "status" in extra:  # the job's; the document's own is HTTP's
                extra["job_status"] = extra.pop("status")
            if error.kind.status >= 500 and error.kind.status != 503:
                log.error("lethe_error", code=error.code, exc_info=error)
                return Problem(error.code, error.kind.title)
            return Problem(error.code, error.message, **extra)
        case InvalidRequest():
            return invalid(wrong_fields(error.errors))
        case RequestValidationError():
            return _validation(error)
        case HTTPException():
            return _http(error)
        case PoolTimeout() | OperationalError():
            log.warning("database_unavailable", error=type(error).__name__, cause=str(error.__cause__ or error)[:300])
            return Problem("service_unavailable", "the database does not answer in time; send the request again")
        case DBAPIError() if error.connection_invalidated:
            log.warning("database_connection_lost", error=type(error).__name__)
            return Problem("service_unavailable", "the connection to the database was lost; send the request again")
        case _:
            log.error("unhandled_error", exc_info=error)
            return Problem("internal", "the service's log has the cause under this request_id")


def _validation(error: RequestValidationError) -> Problem:
    """Pydantic's findings. A body that is not JSON at all is another matter than one with a wrong field."""
    found = error.errors()
    for item in found:
        if item["type"] == "json_invalid":
            return Problem("malformed", f"the body is not JSON: {item['ctx']['error']} at character {item['loc'][1]}")
        if tuple(item["loc"]) == ("body",) and isinstance(item.get("input"), bytes):
            return Problem("unsupported_media_type", "send the body with Content-Type: application/json")
    wrongs = {_wrong(item): None for item in found}  # a union tells of one place once for each of its members
    return invalid(wrongs)


def _wrong(item: Mapping[str, Any]) -> Wrong:
    place, *parts = item["loc"]
    detail = str(item["msg"]).removeprefix("Value error, ").replace("Input should be", "must be")
    match item["type"]:
        case "missing":
            detail = "is required"
        case "extra_forbidden":
            detail = "unknown field"
    if parts and parts[-1] == "[key]":  # the name of a member is wrong, not its value
        parts.pop()
    return Wrong(pointer(parts), detail[:1].lower() + detail[1:], place)


def _http(error: HTTPException) -> Problem:
    """What the framework refuses by itself: unknown paths, wrong methods, bodies that cannot be read."""
    code = _BY_STATUS.get(error.status_code, "internal" if error.status_code >= 500 else "malformed")
    detail = {
        "not_found": "nothing is at this path; /docs lists the routes",
        "method_not_allowed": "the Allow header lists the methods of this path",
    }.get(code, error.detail)
    return Problem(code, detail, headers=error.headers)


def install(app: FastAPI, answer: Callable[[Request, Exception], Response]) -> None:
    """Have ``answer`` answer every error that is foreseen. What is not is caught by ``api.observing``."""

    async def handler(request: Request, error: Exception) -> Response:
        return answer(request, error)

    for kind in (Problem, LetheError, InvalidRequest, RequestValidationError, HTTPException, DBAPIError, PoolTimeout):
        app.add_exception_handler(kind, handler)
