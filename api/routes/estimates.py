"""Estimates: what a job would take, before it is one."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.auth import Identity, Submitter
from api.routes.documented import errors
from api.schemas.estimates import EstimateObject
from api.schemas.submission import Body
from api.services import Services, Use
from api.submitting import CLIENT_LEFT, Planned, planned
from jobs import estimating
from jobs.work import Work
from sfd_core.evaluation.poor_base import warnings_about

router = APIRouter(prefix="/v1/estimates", tags=["Jobs"])


@router.post(
    "",
    operation_id="estimate_job",
    summary="Estimate a job",
    response_model=EstimateObject,
    responses=errors(
        "malformed",
        "too_large",
        "unsupported_media_type",
        "invalid_request",
        "unknown_base_model",
        "deleted",
        "job_not_found",
        "too_many",
        "quota_exceeded",
    ),
)
async def estimate_job(request: Request, body: Body, who: Submitter, use: Use) -> EstimateObject | Response:
    """Check a submission in full, as it would be checked if it were submitted now, and say what it would take: seconds,
    memory, when it would start, storage and money. Nothing is kept, and no job is made."""
    found = await planned(request, body, who.tenant, None, use)
    if found is None:
        return Response(status_code=CLIENT_LEFT)
    return await run_in_threadpool(estimated, found, who, use)


def estimated(found: Planned, who: Identity, use: Services) -> EstimateObject:
    """Estimate a submission that was checked.

    Raises:
        QuotaExceeded, UnstorableRequest: as it would be refused if it were submitted.
    """
    new, admitted = found.new, found.admitted
    use.jobs.check(new)
    made = estimating.estimate(use.engine, new, Work.of(admitted.request, admitted.model))
    warnings = list(warnings_about(admitted.model, [item.concept for item in admitted.request.forget]))
    return EstimateObject.of(new.base_model, new.memory_bytes, made, use.settings.cost_per_hour, warnings)
