"""Jobs: submit, look, cancel, retry."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any
from zlib import crc32

import orjson
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from api import ratelimit
from api.auth import Reader, Submitter
from api.problems import Problem, Wrong, invalid, wrong_fields
from api.routes.documented import errors
from api.schemas.common import ListOf
from api.schemas.jobs import METADATA_PARAMETER, JobObject, JobsQuery
from api.schemas.submission import Body, Metadata, Submission
from api.services import Services, Use
from api.waiting import why_waiting
from jobs import continuing, quotas
from jobs.errors import GeneratorNotFound
from jobs.hub_models import PREFIX, hub_model
from jobs.job import Job, NewJob
from sfd_core.admission import Admitted, admit
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import Collected, FieldError, InvalidRequest
from sfd_core.families.memory import memory_needed
from sfd_core.request.reading import check_sound, read, written

router = APIRouter(prefix="/v1/jobs", tags=["Jobs"])

MAX_WAITING = 32
"""Submissions that may wait to be planned, one after the other, while their clients wait."""
CLIENT_LEFT = 499
"""What the log says of a client that did not wait: nobody gets the answer."""

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
    if use.planning.statistics().tasks_waiting >= MAX_WAITING:
        raise Problem("too_many", f"{MAX_WAITING} submissions wait to be planned already")
    async with use.planning:
        if await request.is_disconnected():
            return Response(status_code=CLIENT_LEFT)
        new = await to_thread.run_sync(_new_job, body, who.tenant, idempotency_key, use, limiter=CapacityLimiter(1))
    job, created = await run_in_threadpool(use.jobs.create, new, who.actor)
    if created:
        use.dispatcher.nudge()
        use.metrics.submitted.inc()
    else:
        response.headers["Idempotent-Replayed"] = "true"
    answer = await run_in_threadpool(_shown, job, use)
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
    """List jobs, newest first: all, or those of which everything is so that is asked for."""
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
    headers = {"ETag": etag(job, shown.waiting), "Cache-Control": "private, no-cache"}
    if if_none_match is not None and _matches(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
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


def _shown(job: Job, use: Services) -> JobObject:
    return JobObject.of(job, use.models.get(job.base_model), why_waiting(use, [job]).get(job.id))


def etag(job: Job, waiting: str | None) -> str:
    """Return a job's ETag: its version, which counts every change that a reader can see of its row; and what it waits
    for, which changes with the workers."""
    return f'"{job.version}"' if waiting is None else f'"{job.version}-{crc32(waiting.encode()):x}"'


def _new_job(sent: Mapping[str, Any], tenant: str, idempotency_key: str | None, use: Services) -> NewJob:
    """Everything about a submission but storing it.

    Raises:
        InvalidRequest, Problem: with every wrong value.
    """
    check_sound(sent)
    if "parent" in sent:
        message = "is written by the service: name the generator as base_model"
        raise InvalidRequest((FieldError("/parent", message),))
    body = _whole(use, sent, tenant)
    model = _base_model(use, body)
    admitted, metadata = _admitted(body, model)
    return NewJob(
        tenant=tenant,
        request=written(admitted.request),
        base_model=model.name,
        base_model_digest=model.digest,
        metadata=metadata,
        memory_bytes=memory_needed(model, admitted.request.recipe),
        idempotency_key=idempotency_key,
        body_sha256=None if idempotency_key is None else _digest(sent),
    )


def _whole(use: Services, body: Mapping[str, Any], tenant: str) -> Mapping[str, Any]:
    """The body, with what comes of the generator that it goes on from, where it names one.

    Raises:
        InvalidRequest: with what only such a body can have wrong.
        Problem: ``unknown_base_model``.
    """
    name = body.get("base_model")
    if not isinstance(name, str) or not name.startswith(continuing.PREFIX) or name in use.models:
        return body
    try:
        parent = use.generators.get(name, tenant)
    except GeneratorNotFound:
        wrong = [Wrong("/base_model", f"there is no generator {name}")]
        raise invalid(wrong, "unknown_base_model", known=sorted(use.models)) from None
    return continuing.going_on(body, parent, use.jobs.get(parent.job_id, tenant).request)


def _admitted(body: Mapping[str, Any], model: BaseModel) -> tuple[Admitted, dict[str, str]]:
    """The request of a body, and its notes.

    Raises:
        InvalidRequest: with every wrong value.
    """
    collected = Collected()
    admitted = collected.attempt(lambda: admit(body, model))
    metadata = collected.attempt(lambda: read(Metadata, body.get("metadata", {}), "/metadata"))
    if collected.errors:
        raise InvalidRequest(tuple(collected.errors))
    return admitted, metadata


def _base_model(use: Services, body: Mapping[str, Any]) -> BaseModel:
    """A registered base model, or one of a hub where that is allowed.

    Raises:
        InvalidRequest: for a body in which it is not named, with whatever else is wrong.
        Problem: ``unknown_base_model``.
    """
    known, name = sorted(use.models), body.get("base_model")
    if not isinstance(name, str) or not (name in use.models or name.startswith(PREFIX)):
        name = read(Submission, body).base_model
    if name.startswith(PREFIX):
        try:
            return hub_model(name, use.settings.hub_models)
        except InvalidRequest as error:
            raise invalid(wrong_fields(error.errors), "unknown_base_model", known=known) from None
    if (model := use.models.get(name)) is None:
        raise invalid([Wrong("/base_model", use.models.missing(name))], "unknown_base_model", known=known)
    return model


def _matches(if_none_match: str, current: str) -> bool:
    """Weak comparison (RFC 9110, section 13.1.2)."""
    tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return current in tags or "*" in tags


def _digest(sent: Mapping[str, Any]) -> str:
    """Of the body's meaning: neither the order of its keys nor its white space matters."""
    return hashlib.sha256(orjson.dumps(sent, option=orjson.OPT_SORT_KEYS)).hexdigest()
