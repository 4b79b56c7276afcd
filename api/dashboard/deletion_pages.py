"""Pages to delete a job or a generator: what goes and what stays, a reason, and then it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from api.auth import Identity
from api.dashboard.forms import Posted, wrong_reason
from api.dashboard.rendering import render
from api.dashboard.session import Administrator
from api.deleting import delete_generator, delete_job
from api.schemas.deletion import MAX_REASON, MIN_REASON, DeletionRequest
from api.services import Services, Use

router = APIRouter()


@router.get("/jobs/{job_id}/delete")
def delete_job_page(request: Request, job_id: str, who: Administrator, use: Use) -> Response:
    """Ask whether a job is to be deleted, and why."""
    return _page(request, who, _job(use, who, job_id))


@router.post("/jobs/{job_id}/delete")
def delete_one_job(request: Request, job_id: str, who: Administrator, use: Use, form: Posted) -> Response:
    """Delete a job: the button of that page."""
    reason = _reason(request, who, form, lambda: _job(use, who, job_id))
    if isinstance(reason, Response):
        return reason
    delete_job(use, who, job_id, reason)
    return RedirectResponse("/", 303)


@router.get("/generators/{generator_id}/delete")
def delete_generator_page(request: Request, generator_id: str, who: Administrator, use: Use) -> Response:
    """Ask whether a generator is to be deleted, and why."""
    return _page(request, who, _generator(use, who, generator_id))


@router.post("/generators/{generator_id}/delete")
def delete_one_generator(request: Request, generator_id: str, who: Administrator, use: Use, form: Posted) -> Response:
    """Delete a generator: the button of that page."""
    reason = _reason(request, who, form, lambda: _generator(use, who, generator_id))
    if isinstance(reason, Response):
        return reason
    delete_generator(use, who, generator_id, reason)
    return RedirectResponse("/generators", 303)


def _reason(
    request: Request, who: Identity, form: Mapping[str, str], asked: Callable[[], Mapping[str, Any]]
) -> Response | str:
    """The reason that was sent; or the page again, with what is wrong with it beside it."""
    written = form.get("reason", "")
    try:
        return DeletionRequest(reason=written).reason
    except ValidationError as error:
        return _page(request, who, asked(), reason=written, wrong=wrong_reason(error), status=422)


def _page(
    request: Request,
    who: Identity,
    asked: Mapping[str, Any],
    *,
    reason: str = "",
    wrong: str | None = None,
    status: int = 200,
) -> Response:
    bounds = {"min_reason": MIN_REASON, "max_reason": MAX_REASON}
    context = {**asked, **bounds, "reason": reason, "wrong": wrong}
    return render(request, "delete.html", context, who=who, status=status)


def _job(use: Services, who: Identity, job_id: str) -> dict[str, Any]:
    job = use.jobs.get(job_id, who.tenant)
    forget = job.request["forget"]
    return {"kind": "job", "id": job.id, "forget": forget, "over": job.terminal, "status": job.status}


def _generator(use: Services, who: Identity, generator_id: str) -> dict[str, Any]:
    generator = use.generators.get(generator_id, who.tenant)
    return {"kind": "generator", "id": generator.id, "forget": generator.forget, "over": True, "status": ""}
