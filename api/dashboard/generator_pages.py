"""Pages about generators: the list, and one with a form to draw samples from it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from api.dashboard.rendering import pictures, render
from api.dashboard.session import Viewer
from api.schemas.generators import MAX_SAMPLES
from api.services import Use
from jobs.errors import BadCursor

router = APIRouter()

PAGE_SIZE = 24


@router.get("/generators")
def generators_page(request: Request, who: Viewer, use: Use, after: str | None = None) -> Response:
    """Generators, newest first, withheld ones too."""
    try:
        page = use.generators.list(who.tenant, PAGE_SIZE, after, None)
    except BadCursor:
        page = use.generators.list(who.tenant, PAGE_SIZE, None, None)
    return render(request, "generators.html", {"generators": page.data, "next": page.next}, who=who)


@router.get("/generators/{generator_id}")
def generator_page(request: Request, generator_id: str, who: Viewer, use: Use) -> Response:
    """One generator."""
    generator = use.generators.get(generator_id, who.tenant)
    report = use.generators.report(generator.job_id, who.tenant)
    model = use.models.get(generator.base_model)
    forgotten = [item["concept"] for item in generator.forget]
    concepts = [*forgotten, *(c for c in (model.concepts if model else ()) if c not in forgotten)]
    context = {
        "generator": generator,
        "report": report.report,
        "pictures": pictures(report),
        "criteria": report.report.get("criteria", []),
        "concepts": concepts,
        "forgotten": forgotten,
        "max_samples": MAX_SAMPLES,
        "bytes": sum(file.size for file in generator.files.values()),
    }
    return render(request, "generator.html", context, who=who)
