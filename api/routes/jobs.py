"""Jobs: submit, look, cancel, retry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any
from zlib import crc32

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from api import ratelimit
from api.auth import Reader, Submitter
from api.problems import Problem
from api.routes.documented import errors
from api.schemas.case import CorrectionBody, corrected
from api.schemas.common import ListOf
from api.schemas.finding import METADATA_PARAMETER
from api.schemas.jobs import JobObject, JobsQuery
from api.schemas.submission import Body
from api.services import Services, Use
from api.submitting import CLIENT_LEFT, planned, replayed
from api.waiting import why_waiting
from jobs import quotas
from jobs.case import Case
from jobs.job import Job
from sfd_core.request.reading import check_sound

router = APIRouter(prefix="/v1/jobs", tags=["Jobs"])

JobId = Annotated[str, Path(description="A job's id.", examples=["job_019ab5f0c1de7a6b8c3d2e1f0a9b8c7d"])]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Any text without spaces. The same key with the same body answers the same job, also after a "
        "broken connection; with another body it is refused. It is known for a week.",
    ),
]

_SUBMITTED: dict[str, Any] = {
    "description": "The job is stored, and will run.",
    "headers": {
        "Location": {"description": "The job's path.", "schema": {"type": "string"}},
        "Idempotent-Replayed": {
            "description": "`true` where the key was used before: this is the job of that time.",
            "schema": {"type": "string"},
        },
        **ratelimit.DOCUMENTED,
    },
}
_ETAG = {"ETag": {"description": "Changes with the job.", "schema": {"type": "string"}}}


@router.post(
    "",
    status_code=202,
    operation_id="submit_job",
    summary="Submit a job",
    response_model=JobObject,
    responses={
        202: _SUBMITTED,
        **errors(
            "malformed",
            "too_large",
            "unsupported_media_type",
            "invalid_request",
            "unknown_base_model",
            "deleted",
            "job_not_found",
            "idempotency_conflict",
            "too_many",
            "quota_exceeded",
        ),
    },
)
async def submit_job(
    request: Request,
    body: Body,
    who: Submitter,
    use: Use,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> JobObject | Response:
    """Store a job. When the answer comes, the job is committed: it runs as soon as a worker is free, also where the
    broker is unavailable at that moment."""
    earlier = None
    if idempotency_key is not None:
        earlier = await run_in_threadpool(replayed, body, who.tenant, idempotency_key, use)
    if earlier is not None:
        job, created, secret = earlier, False, None
    else:
        found = await planned(request, body, who.tenant, idempotency_key, use)
        if found is None:
            return Response(status_code=CLIENT_LEFT)
        job, created = await run_in_threadpool(use.jobs.create, found.new, who.actor)
        secret = found.secret
    if created:
        use.dispatcher.nudge()
        use.metrics.submitted.inc()
    else:
        response.headers["Idempotent-Replayed"] = "true"
    answer = await run_in_threadpool(_shown, job, use, secret if created else None)
    response.headers["Location"] = answer.links.self
    response.headers.update(ratelimit.fields(await run_in_threadpool(quotas.for_new_jobs, use.engine, who.tenant)))
    return answer


@router.get(
    "",
    operation_id="list_jobs",
    summary="List jobs",
    responses=errors("invalid_request", "bad_cursor"),
    openapi_extra={"parameters": [METADATA_PARAMETER]},
)
def list_jobs(query: Annotated[JobsQuery, Query()], who: Reader, use: Use) -> ListOf[JobObject]:
    """List jobs, newest first: all, or those of which everything is so that is asked for. With `overdue` or
    `due_before` those that are due first come first."""
    page = use.jobs.list(who.tenant, query.wanted(), query.limit, query.after)
    waiting = why_waiting(use, page.data)
    shown = [JobObject.of(job, use.models.get(job.base_model), waiting.get(job.id)) for job in page.data]
    return ListOf(data=shown, has_more=page.has_more, next=page.next)


@router.get(
    "/{job_id}",
    operation_id="get_job",
    summary="Get a job",
    response_model=JobObject,
    responses={
        200: {"headers": _ETAG},
        304: {"description": "Nothing has changed since `If-None-Match`.", "headers": _ETAG},
        **errors("job_not_found", "deleted", "invalid_request"),
    },
)
def get_job(
    job_id: JobId,
    who: Reader,
    use: Use,
    response: Response,
    if_none_match: Annotated[
        str | None, Header(alias="If-None-Match", description="An ETag of an earlier answer.")
    ] = None,
) -> JobObject | Response:
    """Show one job."""
    job = use.jobs.get(job_id, who.tenant)
    shown = _shown(job, use)
    headers = {"ETag": etag(shown, job.version), "Cache-Control": "private, no-cache"}
    if if_none_match is not None and _matches(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return shown


@router.patch(
    "/{job_id}",
    operation_id="correct_job",
    summary="Correct a job's case",
    responses={
        200: {"headers": _ETAG},
        **errors(
            "malformed",
            "too_large",
            "unsupported_media_type",
            "invalid_request",
            "job_not_found",
            "deleted",
            "precondition_failed",
        ),
    },
)
def correct_job(
    job_id: JobId,
    body: CorrectionBody,
    who: Submitter,
    use: Use,
    response: Response,
    if_match: Annotated[
        str | None,
        Header(alias="If-Match", description="An ETag of the job: refuses the change where the job has changed since."),
    ] = None,
) -> JobObject:
    """Change the case of a job, whatever its status, and nothing else: what is sent of `case` replaces what is there,
    null removes it, what is left out stays. An event tells which fields have changed, and not what they said."""
    check_sound(body)

    def change(job: Job) -> Case:
        if if_match is not None and not _is_version(if_match, job.version):
            raise Problem("precondition_failed", f"the job is at version {job.version} now: get it and send it again")
        return corrected(job.case, body)

    job = use.jobs.correct(job_id, who.tenant, change, who.actor)
    shown = _shown(job, use)
    response.headers["ETag"] = etag(shown, job.version)
    return shown


@router.post(
    "/{job_id}/cancel",
    operation_id="cancel_job",
    summary="Cancel a job",
    responses=errors("job_not_found", "deleted", "invalid_request"),
)
def cancel_job(job_id: JobId, who: Submitter, use: Use) -> JobObject:
    """Stop a job: one that waits at once, one that runs within seconds. Asking twice gives the same answer; a job that
    has ended stays as it is."""
    return _shown(use.jobs.request_cancel(job_id, who.tenant, who.actor), use)


@router.post(
    "/{job_id}/retry",
    operation_id="retry_job",
    summary="Retry a job",
    responses=errors("job_not_found", "deleted", "job_conflict", "invalid_request", "quota_exceeded"),
)
def retry_job(job_id: JobId, who: Submitter, use: Use) -> JobObject:
    """Queue a job that failed or was cancelled again."""
    job = use.jobs.retry(job_id, who.tenant, who.actor)
    use.dispatcher.nudge()
    return _shown(job, use)


def _shown(job: Job, use: Services, secret: str | None = None) -> JobObject:
    return JobObject.of(job, use.models.get(job.base_model), why_waiting(use, [job]).get(job.id), secret)


def etag(shown: JobObject, version: int) -> str:
    """Return a job's ETag: its version, which counts every change that a reader can see of its row; and what else
    changes: what it waits for, with the workers, and whether it is overdue, with the clock."""
    beside = [f"{crc32(shown.waiting.encode()):x}"] if shown.waiting is not None else []
    beside += ["overdue"] if shown.overdue else []
    return f'"{"-".join([str(version), *beside])}"'


def _matches(if_none_match: str, current: str) -> bool:
    """Weak comparison (RFC 9110, section 13.1.2)."""
    tags = {tag.removeprefix("W/") for tag in _tags(if_none_match)}
    return current in tags or "*" in tags


def _is_version(if_match: str, version: int) -> bool:
    """Whether a tag is of this version of the job's row, whatever it waited for then and whether it was overdue: no
    change could undo that. Weak tags do not match (RFC 9110, section 13.1.1)."""
    return any(tag == "*" or tag.strip('"').split("-")[0] == str(version) for tag in _tags(if_match))


def _tags(header: str) -> Iterator[str]:
    return (tag.strip() for tag in header.split(","))
