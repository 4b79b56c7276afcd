"""A submission, from a body as it came to what the store takes: checked whole, one at a time and beside everything
else. What ``POST /v1/jobs``, estimates and the dashboard's form have in common."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from anyio import CapacityLimiter, to_thread
from fastapi import Request

from api.again import whole_body
from api.problems import Problem, Wrong, invalid, wrong_fields
from api.schemas.case import read_case
from api.schemas.submission import JobWebhook, Metadata, Submission
from api.services import Services
from api.webhooks import new_webhook
from jobs import continuing
from jobs.case import Case
from jobs.errors import GeneratorNotFound
from jobs.hub_models import PREFIX, hub_model
from jobs.job import Job, JsonObject, NewJob
from jobs.priorities import Priority
from sfd_core.admission import Admitted, admit
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import Collected, FieldError, InvalidRequest
from sfd_core.families.memory import memory_needed
from sfd_core.request.reading import check_sound, read, written
from sfd_core.request.undone import Undone
from sfd_core.suggestions import listed
from telling.addresses import AddressRefused

MAX_WAITING = 32
"""Submissions that may wait to be planned, one after the other, while their clients wait."""
CLIENT_LEFT = 499
"""What the log says of a client that did not wait: nobody gets the answer."""


@dataclass(frozen=True)
class Planned:
    """A submission that was checked: what the store takes, the request as it can be run, and the secret of its
    webhook, which is shown once."""

    new: NewJob
    admitted: Admitted
    secret: str | None


def replayed(sent: Mapping[str, Any], tenant: str, idempotency_key: str, use: Services) -> Job | None:
    """Return the job that was submitted with this key, None where none was. Nothing of the body is looked at but
    whether it is the same: what it names may have been deleted since.

    Raises:
        InvalidRequest: it is no body that anything was submitted with.
        IdempotencyConflict: the key was used with another one.
    """
    check_sound(sent)
    return use.jobs.of_key(tenant, idempotency_key, _digest(sent))


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
    body, kept = _whole(use, whole_body(sent, tenant, use), tenant)
    model = _base_model(use, body)
    admitted, notes = _admitted(body, model, use, kept, tenant)
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


def _whole(use: Services, body: Mapping[str, Any], tenant: str) -> tuple[Mapping[str, Any], Sequence[JsonObject]]:
    """The body, with what comes of the generator that it goes on from, where it names one, and what that has forgotten;
    one that an earlier job went on from must still be there.

    Raises:
        InvalidRequest: with what only such a body can have wrong.
        Deleted: the generator was.
        Problem: ``unknown_base_model``.
    """
    if "parent" in body:
        parent = use.generators.get(body["parent"]["generator"], tenant)
        return body, use.jobs.get(parent.job_id, tenant).request["forget"]
    name = body.get("base_model")
    if not isinstance(name, str) or not name.startswith(continuing.PREFIX) or name in use.models:
        return body, ()
    try:
        parent = use.generators.get(name, tenant)
    except GeneratorNotFound:
        wrong = [Wrong("/base_model", f"there is no generator {name}")]
        raise invalid(wrong, "unknown_base_model", known=sorted(use.models)) from None
    request = use.jobs.get(parent.job_id, tenant).request
    return continuing.going_on(body, parent, request), request["forget"]


@dataclass(frozen=True)
class Notes:
    """The part of a submission that decides nothing of a run."""

    metadata: dict[str, str]
    case: Case
    priority: Priority
    hook: JobWebhook | None


def _admitted(
    body: Mapping[str, Any], model: BaseModel, use: Services, kept: Sequence[JsonObject], tenant: str
) -> tuple[Admitted, Notes]:
    """The request of a body, and what comes with it. ``kept``: what the generator that it goes on from has forgotten.

    Raises:
        InvalidRequest: with every wrong value.
    """
    collected = Collected()
    admitted = collected.attempt(lambda: admit(body, model, kept))
    collected.attempt(lambda: _check_undone(body.get("undoes"), tenant, use))
    metadata = collected.attempt(lambda: read(Metadata, body.get("metadata", {}), "/metadata"))
    case = collected.attempt(lambda: read_case(body.get("case")))
    priority = collected.attempt(lambda: read(Priority, body.get("priority", Priority.NORMAL), "/priority"))
    hook = collected.attempt(lambda: _webhook(body["webhook"], use)) if body.get("webhook") is not None else None
    if collected.errors:
        raise InvalidRequest(tuple(collected.errors))
    return admitted, Notes(metadata, case, priority, hook)


def _check_undone(raw: Any, tenant: str, use: Services) -> None:
    """Refuse to take back what the generator that is named has not forgotten; admission refuses what cannot be read."""
    try:
        undone = None if raw is None else read(Undone, raw)
    except InvalidRequest:
        return
    if undone is None:
        return
    try:
        generator = use.generators.get(undone.generator, tenant)
    except GeneratorNotFound:
        message = f"there is no generator {undone.generator}"
        raise InvalidRequest((FieldError("/undoes/generator", message),)) from None
    forgotten = [item["concept"] for item in use.jobs.get(generator.job_id, tenant).request["forget"]]
    wrong = [
        FieldError(
            f"/undoes/concepts/{i}", f"{generator.id} has not forgotten it; it has forgotten {listed(forgotten)}"
        )
        for i, concept in enumerate(undone.concepts)
        if concept not in forgotten
    ]
    if wrong:
        raise InvalidRequest(tuple(wrong))


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


def _digest(sent: Mapping[str, Any]) -> str:
    """Of the body's meaning: neither the order of its keys nor its white space matters."""
    return hashlib.sha256(orjson.dumps(sent, option=orjson.OPT_SORT_KEYS)).hexdigest()
