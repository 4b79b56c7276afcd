"""The header fields that tell a client its quotas: ``RateLimit-Policy`` (what they are) and ``RateLimit`` (what is
left), as of draft-ietf-httpapi-ratelimit-headers-10. Both are lists of RFC 9651: a name with parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jobs.quotas import Quota

DOCUMENTED: Mapping[str, Any] = {
    "RateLimit-Policy": {
        "description": "The quotas behind this request, where the tenant has any: of each its name, `q` how much, `qu` "
        "of what, and `w` in how many seconds.",
        "schema": {"type": "string", "example": '"samples_per_minute";q=600;qu="images";w=60'},
    },
    "RateLimit": {
        "description": "What is left of each: `r` how much, and `t` in how many seconds it begins anew.",
        "schema": {"type": "string", "example": '"samples_per_minute";r=584;t=21'},
    },
}
"""How a route says in the OpenAPI document that its answer has them."""


def fields(quotas: Iterable[Quota]) -> dict[str, str]:
    """Write the header fields of ``quotas``; none where there are no quotas."""
    found = tuple(quotas)
    if not found:
        return {}
    return {"RateLimit-Policy": ", ".join(map(_policy, found)), "RateLimit": ", ".join(map(_left, found))}


def _policy(quota: Quota) -> str:
    window = "" if quota.window is None else f";w={quota.window}"
    return f'"{quota.name}";q={quota.limit};qu="{quota.unit}"{window}'


def _left(quota: Quota) -> str:
    reset = "" if quota.reset is None else f";t={quota.reset}"
    return f'"{quota.name}";r={quota.remaining}{reset}'
