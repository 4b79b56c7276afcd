"""Advice: what to try after a job that did not pass."""

from __future__ import annotations

from fastapi import APIRouter

from api.advising import advice_on
from api.auth import Reader
from api.routes.documented import errors
from api.routes.jobs import JobId
from api.schemas.advice import AdviceObject
from api.schemas.common import ListOf
from api.services import Use

router = APIRouter(prefix="/v1/jobs", tags=["Jobs"])


@router.get(
    "/{job_id}/advice",
    operation_id="get_advice",
    summary="Get advice on a job",
    responses=errors("job_not_found", "deleted", "report_not_ready", "invalid_request"),
)
def get_advice(job_id: JobId, who: Reader, use: Use) -> ListOf[AdviceObject]:
    """Say what to try where a job did not pass: of each criterion why, and changes of its request that may help, those
    first that helped an earlier job of the same base model. Nothing where it passed."""
    data = [AdviceObject.of(each) for each in advice_on(job_id, who.tenant, use)]
    return ListOf(data=data, has_more=False, next=None)
