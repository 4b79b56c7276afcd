"""Pages about generators: the list, and one with a form to draw samples from it, or to release it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, cast, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
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
from jobs.finding_generators import GeneratorStatus, WantedGenerators
from sfd_core.base_model.vocabulary import EvaluationPrompts, Vocabulary
from sfd_core.evaluation.verdict import Verdict
from sfd_core.request.prompt_lists import MAX_PROMPT_CHARACTERS

router = APIRouter()

PAGE_SIZE = 24
VERDICTS: tuple[str, ...] = get_args(Verdict)
STATUSES: tuple[str, ...] = get_args(GeneratorStatus)


@dataclass(frozen=True)
class Question:
    """A question to the list, as its address has it. What it cannot mean is not asked: addresses are passed on.
    ``find``: as :attr:`WantedGenerators.text`."""

    status: str | None = None
    verdict: str | None = None
    base: str | None = None
    find: str | None = None
    after: str | None = None

    def wanted(self) -> WantedGenerators:
        """Return which generators those are, whatever page."""
        status = self.status if self.status in STATUSES else None
        verdict = self.verdict if self.verdict in VERDICTS else None
        return WantedGenerators(
            status=cast(GeneratorStatus | None, status),
            verdict=cast(Verdict | None, verdict),
            base_model=(self.base or "").strip() or None,
            text=(self.find or "").strip() or None,
        )

    def address(self, **changes: str | None) -> str:
        """Return the address of the list that asks for this, with ``changes``."""
        said = {name: value for name, value in {**vars(self), **changes}.items() if value}
        return "/generators" + (f"?{urlencode(said)}" if said else "")


@router.get("/generators")
def generators_page(request: Request, who: Viewer, use: Use, asked: Annotated[Question, Depends()]) -> Response:
    """List generators, newest first, withheld ones too."""
    wanted = asked.wanted()
    try:
        page = use.generators.list(who.tenant, wanted, PAGE_SIZE, asked.after)
    except BadCursor:  # a bookmark that has gone stale: the first page is what is meant
        asked = replace(asked, after=None)
        page = use.generators.list(who.tenant, wanted, PAGE_SIZE)
    context: dict[str, Any] = {"generators": page.data, "next": page.next, "asked": asked, "wanted": wanted}
    context |= {"verdicts": VERDICTS, "statuses": STATUSES, "bases": sorted(use.models)}
    return render(request, "generators.html", context, who=who)


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
