"""Pages about generators: the list, and one with a form to draw samples from it, or to release it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from api.auth import Identity
from api.dashboard.forms import Posted, wrong_reason
from api.dashboard.rendering import pictures, render
from api.dashboard.session import Administrator, Viewer
from api.releasing import release
from api.schemas.deletion import MAX_REASON, MIN_REASON
from api.schemas.generators import MAX_SAMPLES, ReleaseRequest
from api.services import Services, Use
from jobs.errors import BadCursor
from sfd_core.base_model.vocabulary import EvaluationPrompts, Vocabulary
from sfd_core.request.prompt_lists import MAX_PROMPT_CHARACTERS

router = APIRouter()

PAGE_SIZE = 24


@router.get("/generators")
def generators_page(request: Request, who: Viewer, use: Use, after: str | None = None) -> Response:
    """List generators, newest first, withheld ones too."""
    try:
        page = use.generators.list(who.tenant, PAGE_SIZE, after, None)
    except BadCursor:
        page = use.generators.list(who.tenant, PAGE_SIZE, None, None)
    return render(request, "generators.html", {"generators": page.data, "next": page.next}, who=who)


@router.get("/generators/{generator_id}")
def generator_page(request: Request, generator_id: str, who: Viewer, use: Use) -> Response:
    """Show one generator."""
    return render(request, "generator.html", _generator(use, who, generator_id), who=who)


@router.post("/generators/{generator_id}/release")
def release_generator(request: Request, generator_id: str, who: Administrator, use: Use, form: Posted) -> Response:
    """Release a withheld generator, from its form; a reason that is none is said beside it, and kept."""
    written = form.get("reason", "")
    try:
        reason = ReleaseRequest(reason=written).reason
    except ValidationError as error:
        context = _generator(use, who, generator_id) | {"reason": written, "wrong": wrong_reason(error)}
        return render(request, "generator.html", context, who=who, status=422)
    release(use, who, generator_id, reason)
    return RedirectResponse(f"/generators/{generator_id}", 303)


def _generator(use: Services, who: Identity, generator_id: str) -> dict[str, Any]:
    generator = use.generators.get(generator_id, who.tenant)
    report = use.generators.report(generator.job_id, who.tenant)
    model = use.models.get(generator.base_model)
    files = [*generator.files.values(), *report.files.values()]
    forgotten = [item["concept"] for item in generator.forget]
    concepts = [*forgotten, *(c for c in (model.concepts if model else ()) if c not in forgotten)]
    return {
        "generator": generator,
        "pictures": pictures(report),
        "criteria": report.report.get("criteria", []),
        "concepts": concepts,
        "forgotten": forgotten,
        "prompts": _prompts(forgotten, model.vocabulary if model else None),
        "max_prompt": MAX_PROMPT_CHARACTERS,
        "max_samples": MAX_SAMPLES,
        "bytes": sum(file.size for file in files),
        "min_reason": MIN_REASON,
        "max_reason": MAX_REASON,
        "reason": "",
        "wrong": None,
    }


def _prompts(forgotten: Sequence[str], vocabulary: Vocabulary | None) -> list[str]:
    """What a text-to-image generator may be asked for: what it has forgotten first, then all else that it knows."""
    if vocabulary is None:
        return list(forgotten)
    known = {
        concept.name: EvaluationPrompts(vocabulary, domain).asked(label, 0).prompt
        for domain, concepts in vocabulary.domains.items()
        for label, concept in enumerate(concepts)
    }
    return list(dict.fromkeys([*(known.get(concept, concept) for concept in forgotten), *known.values()]))
