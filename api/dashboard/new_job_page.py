"""The form for a new job, empty or filled with an earlier one's request, and what that job would take."""

from __future__ import annotations

from typing import Any

import orjson
from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.advising import advice_on
from api.again import kept_of, merged
from api.dashboard.rendering import render
from api.dashboard.session import Actor
from api.routes.estimates import estimated
from api.schemas.submission import Body
from api.services import Services, Use
from api.submitting import CLIENT_LEFT, planned
from jobs.case import MAX_LINE, MAX_NOTE, MAX_TICKET
from jobs.errors import ReportNotReady
from jobs.hub_models import PREFIX, families_of
from jobs.priorities import Priority
from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.evaluation.poor_base import warnings_about
from sfd_core.evaluation.probes import PROBES
from sfd_core.families.registry import describe, unfetched
from sfd_core.request.evaluation_plan import EvaluationPlan
from sfd_core.request.overrides import IN_FORM

router = APIRouter()


@router.get("/jobs/new")
def new_job_page(
    request: Request, who: Actor, use: Use, like: str | None = None, advice: int | None = None
) -> Response:
    """Show the form for a new job. ``like``: a job whose request it is filled with; ``advice``: which of the advice on
    that job is followed, the first is 0."""
    known = {"overrides": IN_FORM, "probes": PROBES, "criteria": CRITERIA, "plan": EvaluationPlan()}
    known |= {"priorities": list(Priority)[::-1], "max_ticket": MAX_TICKET, "max_line": MAX_LINE, "max_note": MAX_NOTE}
    context = {
        "data": _in_script(models := _models(use)),
        "models": models,
        "refused": use.models.refused,
        "like": None if like is None else _in_script(_filled(use, who.tenant, like, advice)),
        **known,
    }
    return render(request, "new-job.html", context, who=who)


@router.post("/parts/estimate")
async def estimate_part(request: Request, body: Body, who: Actor, use: Use) -> Response:
    """Show what a job would take: the form's button. What is wrong with it is answered as the API does."""
    found = await planned(request, body, who.tenant, None, use)
    if found is None:
        return Response(status_code=CLIENT_LEFT)
    estimate = await run_in_threadpool(estimated, found, who, use)
    return render(request, "parts/estimate.html", {"estimate": estimate}, who=who)


def _models(use: Services) -> list[dict[str, Any]]:
    models: list[dict[str, Any]] = [
        {
            "name": model.name,
            "title": model.title,
            "concepts": model.concepts,
            "text": describe(model.family).takes_prompts,
            "images": describe(model.family).budget_images,
            "hub": False,
            "judged": model.judge is not None or bool(model.domains),
            "warnings": {
                concept: said
                for view in (model, *map(model.view, model.domains))
                for concept in view.concepts
                if (said := warnings_about(view, [concept]))
            },
        }
        for model in sorted(use.models.values(), key=lambda model: model.name)
    ]
    for name, of_family in families_of(use.settings.hub_models).items():
        model = unfetched(of_family, f"{PREFIX}{name}", f"{name.partition('/')[2]}, of the hub")
        family = describe(model.family)
        asked = {"text": family.takes_prompts, "images": family.budget_images}
        hub = {"concepts": model.concepts, **asked, "hub": True, "judged": False, "warnings": {}}
        models.append({"name": model.name, "title": model.title, **hub})
    return models


def _filled(use: Services, tenant: str, like: str, advice: int | None) -> dict[str, Any]:
    """The job that a form begins with, its request as it is shown, and changes that the form has no fields for."""
    job = use.jobs.get(like, tenant)
    change: dict[str, Any] = {}
    if advice is not None:
        try:
            found = advice_on(like, tenant, use)
        except ReportNotReady:
            found = ()
        change = dict(found[advice].change) if 0 <= advice < len(found) else {}
    request = merged(kept_of(job), change)
    beside = {"recipe": change["recipe"]} if "recipe" in change else {}
    parent = job.request.get("parent")
    return {
        "like": job.id,
        "request": request,
        "beside": beside,
        "parent": None if parent is None else parent["generator"],
    }


def _in_script(data: Any) -> Markup:
    """JSON inside a script element: "<" must not be able to end it."""
    return Markup(orjson.dumps(data).decode().replace("<", "\\u003c"))
