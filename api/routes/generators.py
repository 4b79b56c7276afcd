"""Generators: what jobs have made, to be looked at, taken home or sampled from."""

from __future__ import annotations

from itertools import chain
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import Response, StreamingResponse

from api.archive import zip_chunks
from api.auth import Reader
from api.problems import Problem
from api.routes.documented import errors
from api.schemas.common import ListOf
from api.schemas.generators import GeneratorObject, GeneratorsQuery
from api.services import Services, Use
from jobs.generators import Generator

router = APIRouter(prefix="/v1/generators", tags=["Generators"])

GeneratorId = Annotated[str, Path(description="A generator's id.", examples=["gen_019ab5f0c1de7a6b8c3d2e1f0a9b8c7d"])]
_ZIP: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The generator's diffusers folder.",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get(
    "", operation_id="list_generators", summary="List generators", responses=errors("invalid_request", "bad_cursor")
)
def list_generators(query: Annotated[GeneratorsQuery, Query()], who: Reader, use: Use) -> ListOf[GeneratorObject]:
    """Generators, newest first, withheld ones included unless `status` says otherwise."""
    page = use.generators.list(who.tenant, query.limit, query.after, query.status)
    data = [GeneratorObject.of(generator) for generator in page.data]
    return ListOf(data=data, has_more=page.has_more, next=page.next)


@router.get(
    "/{generator_id}",
    operation_id="get_generator",
    summary="Get a generator",
    responses=errors("generator_not_found", "invalid_request"),
)
def get_generator(generator_id: GeneratorId, who: Reader, use: Use) -> GeneratorObject:
    """One generator."""
    return GeneratorObject.of(use.generators.get(generator_id, who.tenant))


@router.get(
    "/{generator_id}/archive",
    operation_id="download_generator",
    summary="Download a generator",
    response_class=Response,
    responses={**_ZIP, **errors("generator_not_found", "generator_withheld", "invalid_request")},
)
def download_generator(generator_id: GeneratorId, who: Reader, use: Use) -> Response:
    """The generator as a zip of its diffusers folder. Every file is checked against its digest while it is sent."""
    generator = released(use, generator_id, who.tenant)
    date = generator.created_at.timetuple()[:6]
    chunks = zip_chunks(use.artifacts, generator.prefix, generator.files, date)
    first = next(chunks)  # so that a store that is away is an error and not half an answer
    headers = {
        "Content-Disposition": f'attachment; filename="{generator.id}.zip"',
        "Cache-Control": "private, no-cache",
        "ETag": f'"{generator.digest}"',
    }
    return StreamingResponse(chain([first], chunks), 200, headers, "application/zip")


def released(use: Services, generator_id: str, tenant: str) -> Generator:
    """A generator that may be served.

    Raises:
        GeneratorNotFound: there is none, or it is another tenant's.
        Problem: ``generator_withheld``, with what its evaluation found.
    """
    generator = use.generators.get(generator_id, tenant)
    if generator.status == "published":
        return generator
    criteria = use.generators.report(generator.job_id, tenant).report.get("criteria", [])
    reasons = [str(each["reason"]) for each in criteria if each.get("decision") != "pass"]
    detail = f"the verdict is {generator.verdict}: " + ("; ".join(reasons) or "see the report")
    raise Problem("generator_withheld", detail, verdict=generator.verdict, reasons=reasons)
