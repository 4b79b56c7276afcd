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
    With another base model the recipe begins anew: what a job keeps is written out for its own.

    Raises:
        Problem: ``invalid_request`` where ``like`` names no job, or one whose request is not kept.
        JobNotFound: there is no such job, or it is another tenant's.
    """
    if LIKE not in body:
        return body
    changes = {name: value for name, value in body.items() if name != LIKE}
    if not isinstance(like := body[LIKE], str):
        raise invalid([Wrong(f"/{LIKE}", 'must be a job\'s id, such as "job_019ab5f0c1de7a6b8c3d2e1f0a9b8c7d"')])
    job = use.jobs.get(like, tenant)
    if not job.request:
        raise invalid([Wrong(f"/{LIKE}", f"the request of {like} is not kept: send a whole one")])
    kept = kept_of(job)
    if changes.get("base_model", job.base_model) != job.base_model:
        for name in ("recipe", "parent"):
            kept.pop(name, None)
    return merged(kept, changes)


def kept_of(job: Job) -> dict[str, Any]:
    """Return all that was submitted with a job and is kept: its request, notes, case and priority."""
    beside = {"metadata": dict(job.metadata), "case": job.case.to_json(), "priority": str(job.priority)}
    return {**job.request, **beside}


def merged(old: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``old`` with ``changes``: objects member by member, all else, lists too, as it is sent."""
    both = {
        name: merged(old[name], value) if isinstance(value, Mapping) and isinstance(old.get(name), Mapping) else value
        for name, value in changes.items()
    }
    return {**old, **both}
