"""A request that says what differs from an earlier job's: ``like`` names the job, and all else changes its request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from api.problems import Wrong, invalid
from api.services import Services
from jobs.job import Job

LIKE = "like"


def whole_body(body: Mapping[str, Any], tenant: str, use: Services) -> Mapping[str, Any]:
    """Return ``body`` as it is, or where it is ``like`` a job, that job's request, notes and case with its changes.
    With another base model it begins there, and with the recipe of that: what a job keeps is written out for its own.

    Raises:
        Problem: ``invalid_request`` where ``like`` names no job.
        JobNotFound: there is no such job, or it is another tenant's.
    """
    if LIKE not in body:
        return body
    changes = {name: value for name, value in body.items() if name != LIKE}
    if not isinstance(like := body[LIKE], str):
        raise invalid([Wrong(f"/{LIKE}", 'must be a job\'s id, such as "job_019ab5f0c1de7a6b8c3d2e1f0a9b8c7d"')])
    kept = kept_of(use.jobs.get(like, tenant))
    parent = kept.get("parent")
    began = kept["base_model"] if parent is None else parent["generator"]
    if changes.get("base_model", began) != began:
        for name in ("recipe", "parent"):
            kept.pop(name, None)
    else:
        changes.pop("base_model", None)  # it begins there already
    return merged(kept, changes)


def kept_of(job: Job) -> dict[str, Any]:
    """Return all that was submitted with a job and is kept: its request, notes, case and priority."""
    beside = {"metadata": dict(job.metadata), "case": job.case.to_json(), "priority": str(job.priority)}
    return {**job.request, **beside}


def merged(old: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``old`` with ``changes``, as a JSON merge patch (RFC 7396): objects member by member, null removes, all
    else, lists too, as it is sent."""
    result = dict(old)
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            before = old.get(name)
            result[name] = merged(before if isinstance(before, Mapping) else {}, value)
        else:
            result[name] = value
    return result
