"""What the client raises. Whatever goes wrong is a :class:`LetheError`; printing it says all there is to say."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class LetheError(Exception):
    """Anything that the client refuses, cannot do, or is told by the service."""


class Unreachable(LetheError):
    """No service answered at the URL, also not after the retries. The message names the URL and the cause."""


class BadAnswer(LetheError):
    """An answer that is not what a Lethe service sends; most often something else listens at the URL."""


class Refused(LetheError):
    """The client will not do it, before anything is sent or written: the message says what would be right."""


@dataclass(frozen=True)
class WrongField:
    """One wrong field. ``pointer`` is a JSON pointer (RFC 6901) into the ``place``: body, query, path or header."""

    pointer: str
    message: str
    place: str = "body"

    def __str__(self) -> str:
        where = "" if self.place == "body" else f" ({self.place})"
        return f"{self.pointer or '/'}{where}: {self.message}"


class ApiError(LetheError):
    """The service's own problem document (RFC 9457). ``code`` is for programs, ``str(error)`` for people.

    ``request_id`` finds the request in the service's log; ``extra`` holds every member that has no name here.
    """

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str = "",
        errors: tuple[WrongField, ...] = (),
        request_id: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.errors = errors
        self.request_id = request_id
        self.extra = dict(extra or {})
        super().__init__(self._text())

    def _text(self) -> str:
        first = self.title if not self.detail or self.detail == self.title else f"{self.title}: {self.detail}"
        lines = [first, *(f"  {wrong}" for wrong in self.errors)]
        if self.status >= 500 and self.request_id:
            lines.append(f"  request id: {self.request_id}")
        return "\n".join(lines)


class InvalidRequest(ApiError):
    """The request is wrong (400, 413, 422): sending it again as it is will not help."""


class Unauthenticated(ApiError):
    """No valid API key was given (401)."""


class Forbidden(ApiError):
    """The API key does not allow this (403)."""


class NotFound(ApiError):
    """There is no such thing, or it is another tenant's (404)."""


class Gone(ApiError):
    """It was deleted (410): ``extra["tombstone"]`` is what is kept of it."""


class Conflict(ApiError):
    """The thing's state does not allow this (409): a report that is not ready, a generator that is withheld, or the
    release of one that is not."""


class TooMany(ApiError):
    """Too many requests (429), also after the retries."""


class Unavailable(ApiError):
    """The service or a part of it is down (502, 503, 504), also after the retries."""


class ServerError(ApiError):
    """Something went wrong inside the service (other 5xx)."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: InvalidRequest,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: InvalidRequest,
    422: InvalidRequest,
    429: TooMany,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
_IN_FRONT = frozenset({502, 503, 504})
_KNOWN = frozenset({"type", "title", "status", "detail", "instance", "code", "errors", "request_id"})


def from_answer(status: int, content_type: str, body: bytes) -> LetheError:
    """Make the error that an answer with ``status`` >= 300 stands for."""
    document = _problem(content_type, body)
    if document is None and status in _IN_FRONT:
        detail = f"HTTP {status} from something in front of it"
        return Unavailable(status, "unavailable", "The service is not available", detail)
    if document is None:
        return BadAnswer(f"HTTP {status} without a problem document: is the URL that of a Lethe service?")
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)
    errors = document.get("errors")
    return kind(
        status,
        str(document.get("code", "unknown")),
        str(document.get("title", f"HTTP {status}")),
        str(document.get("detail") or ""),
        tuple(_wrong_field(entry) for entry in errors) if isinstance(errors, list) else (),
        document.get("request_id"),
        {name: value for name, value in document.items() if name not in _KNOWN},
    )


def _problem(content_type: str, body: bytes) -> dict[str, Any] | None:
    if content_type.partition(";")[0].strip() != "application/problem+json":
        return None
    try:
        document = json.loads(body)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _wrong_field(entry: Any) -> WrongField:
    if not isinstance(entry, dict):
        return WrongField("", str(entry))
    return WrongField(str(entry.get("pointer", "")), str(entry.get("detail", "")), str(entry.get("in", "body")))
