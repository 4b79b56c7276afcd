"""How a route says in the OpenAPI document which errors it can answer."""

from __future__ import annotations

from typing import Any

from api.problems import KINDS, MEDIA_TYPE

_ALWAYS = ("unauthenticated", "forbidden", "internal", "service_unavailable")


def errors(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of a route that needs a key and can answer ``codes`` beside what every such route
    can."""
    return open_errors(*codes, *_ALWAYS)


def open_errors(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` of a route that needs no key."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(KINDS[code].status, []).append(code)
    return {
        status: {
            "description": "; ".join(f"`{code}`: {KINDS[code].title}" for code in by_status[status]),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
        }
        for status in sorted(by_status)
    }
