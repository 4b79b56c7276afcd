"""Jobs: submit, look, cancel, retry."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from zlib import crc32

import orjson
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from api import ratelimit
from api.again import whole_body
from api.auth import Reader, Submitter
from api.problems import Problem, Wrong, invalid, wrong_fields
from api.routes.documented import errors
from api.schemas.case import CorrectionBody, corrected, read_case
from api.schemas.common import ListOf
from api.schemas.finding import METADATA_PARAMETER
from api.schemas.jobs import JobObject, JobsQuery
from api.schemas.submission import Body, JobWebhook, Metadata, Submission
from api.services import Services, Use
from api.waiting import why_waiting
from api.webhooks import new_webhook
from jobs import continuing, quotas
from jobs.case import Case
from jobs.errors import GeneratorNotFound
from jobs.hub_models import PREFIX, hub_model
from jobs.job import Job, NewJob
from jobs.priorities import Priority
from sfd_core.admission import Admitted, admit
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import Collected, FieldError, InvalidRequest
from sfd_core.families.memory import memory_needed
from sfd_core.request.reading import check_sound, read, written
from telling.addresses import AddressRefused

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
    found = await planned(request, body, who.tenant, idempotency_key, use)
    if found is None:
        return Response(status_code=CLIENT_LEFT)
    job, created = await run_in_threadpool(use.jobs.create, found.new, who.actor)
    if created:
        use.dispatcher.nudge()
        use.metrics.submitted.inc()
    else:
        response.headers["Idempotent-Replayed"] = "true"
    answer = await run_in_threadpool(_shown, job, use, found.secret if created else None)
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


@dataclass(frozen=True)
class Planned:
    """A submission that was checked: what the store takes, the request as it can be run, and the secret of its
    webhook, which is shown once."""

    new: NewJob
    admitted: Admitted
    secret: str | None


async def planned(
    request: Request, body: Mapping[str, Any], tenant: str, idempotency_key: str | None, use: Services
) -> Planned | None:
    """Check a submission, when it has its turn; None where its client has left meanwhile.

    Raises:
        InvalidRequest, JobNotFound, Problem: with every wrong value, or as too many are waiting.
    """
    if use.planning.statistics().tasks_waiting >= MAX_WAITING:
        raise Problem("too_many", f"{MAX_WAITING} submissions wait to be planned already")
    async with use.planning:
        if await request.is_disconnected():
            return None
        return await to_thread.run_sync(_planned, body, tenant, idempotency_key, use, limiter=CapacityLimiter(1))


def _planned(sent: Mapping[str, Any], tenant: str, idempotency_key: str | None, use: Services) -> Planned:
    """Everything about a submission that is known before it is stored.

    Raises:
        InvalidRequest, JobNotFound, Problem: with every wrong value.
    """
    check_sound(sent)
    if "parent" in sent:
        message = "is written by the service: name the generator as base_model"
        raise InvalidRequest((FieldError("/parent", message),))
    body = _whole(use, whole_body(sent, tenant, use), tenant)
    model = _base_model(use, body)
    admitted, notes = _admitted(body, model, use)
    hook = notes.hook
    webhook, secret = (None, None) if hook is None else new_webhook(use, "webhook", hook.url, hook.events)
    new = NewJob(
        tenant=tenant,
        request=written(admitted.request),
        base_model=model.name,
        base_model_digest=model.digest,
        webhook=webhook,
        metadata=notes.metadata,
        memory_bytes=memory_needed(model, admitted.request.recipe),
        case=notes.case,
        priority=notes.priority,
        idempotency_key=idempotency_key,
        body_sha256=None if idempotency_key is None else _digest(sent),
    )
    return Planned(new, admitted, secret)


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


@dataclass(frozen=True)
class Notes:
    """The part of a submission that decides nothing of a run."""

    metadata: dict[str, str]
    case: Case
    priority: Priority
    hook: JobWebhook | None


def _admitted(body: Mapping[str, Any], model: BaseModel, use: Services) -> tuple[Admitted, Notes]:
    """The request of a body, and what comes with it.

    Raises:
        InvalidRequest: with every wrong value.
    """
    collected = Collected()
    admitted = collected.attempt(lambda: admit(body, model))
    metadata = collected.attempt(lambda: read(Metadata, body.get("metadata", {}), "/metadata"))
    case = collected.attempt(lambda: read_case(body.get("case")))
    priority = collected.attempt(lambda: read(Priority, body.get("priority", Priority.NORMAL), "/priority"))
    hook = collected.attempt(lambda: _webhook(body["webhook"], use)) if body.get("webhook") is not None else None
    if collected.errors:
        raise InvalidRequest(tuple(collected.errors))
    return admitted, Notes(metadata, case, priority, hook)


def _webhook(raw: Any, use: Services) -> JobWebhook:
    hook = read(JobWebhook, raw, "/webhook")
    try:
        use.means.guard.check(hook.url)
    except AddressRefused as error:
        raise InvalidRequest((FieldError("/webhook/url", str(error)),)) from None
    return hook


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
    tags = {tag.removeprefix("W/") for tag in _tags(if_none_match)}
    return current in tags or "*" in tags


def _is_version(if_match: str, version: int) -> bool:
    """Whether a tag is of this version of the job's row, whatever it waited for then and whether it was overdue: no
    change could undo that. Weak tags do not match (RFC 9110, section 13.1.1)."""
    return any(tag == "*" or tag.strip('"').split("-")[0] == str(version) for tag in _tags(if_match))


def _tags(header: str) -> Iterator[str]:
    return (tag.strip() for tag in header.split(","))


def _digest(sent: Mapping[str, Any]) -> str:
    """Of the body's meaning: neither the order of its keys nor its white space matters."""
    return hashlib.sha256(orjson.dumps(sent, option=orjson.OPT_SORT_KEYS)).hexdigest()
