"""Generators: what jobs have made, to be looked at, taken home or sampled from."""

from __future__ import annotations

from itertools import chain
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from api.archive import zip_chunks
from api.auth import Administrator, Reader
from api.lasting import LastingResponse
from api.releasing import release, served
from api.routes.documented import errors
from api.schemas.common import ListOf
from api.schemas.finding import METADATA_PARAMETER
from api.schemas.generators import GeneratorObject, GeneratorsQuery, ReleaseRequest
from api.services import Use
from jobs.audit import Action, text_digest
from jobs.record import EVALUATION, RECORD

router = APIRouter(prefix="/v1/generators", tags=["Generators"])

GeneratorId = Annotated[str, Path(description="A generator's id.", examples=["gen_019ab5f0c1de7a6b8c3d2e1f0a9b8c7d"])]
_ZIP: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The generator's diffusers folder, its evaluation and its record.",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_RECORD: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A DSSE envelope around an in-toto Statement; without signatures where the service has no key.",
        "content": {"application/json": {"schema": {"type": "object", "additionalProperties": True}}},
    }
}


@router.get(
    "",
    operation_id="list_generators",
    summary="List generators",
    responses=errors("invalid_request", "bad_cursor"),
    openapi_extra={"parameters": [METADATA_PARAMETER]},
)
def list_generators(query: Annotated[GeneratorsQuery, Query()], who: Reader, use: Use) -> ListOf[GeneratorObject]:
    """List generators, newest first: all, withheld ones too, or those of which everything is so that is asked for."""
    page = use.generators.list(who.tenant, query.wanted(), query.limit, query.after)
    data = [GeneratorObject.of(generator) for generator in page.data]
    return ListOf(data=data, has_more=page.has_more, next=page.next)


@router.get(
    "/{generator_id}",
    operation_id="get_generator",
    summary="Get a generator",
    responses=errors("generator_not_found", "deleted", "invalid_request"),
)
def get_generator(generator_id: GeneratorId, who: Reader, use: Use) -> GeneratorObject:
    """Show one generator."""
    return GeneratorObject.of(use.generators.get(generator_id, who.tenant))


@router.get(
    "/{generator_id}/archive",
    operation_id="download_generator",
    summary="Download a generator",
    response_class=Response,
    responses={**_ZIP, **errors("generator_not_found", "deleted", "generator_withheld", "invalid_request")},
)
def download_generator(generator_id: GeneratorId, who: Reader, use: Use) -> Response:
    """Download the generator as a zip: its diffusers folder at the top, the report's files in `evaluation/`, and
    `unlearning-record.json`, which names every other file with its digest. Every file is checked against its digest
    while it is sent."""
    generator = served(use, generator_id, who.tenant)
    date = generator.created_at.timetuple()[:6]
    report = use.generators.report(generator.job_id, who.tenant)
    files = {**generator.files, **{f"{EVALUATION}/{name}": file for name, file in report.files.items()}}
    made = {RECORD: generator.record.encode()}
    chunks = zip_chunks(use.artifacts, generator.prefix, files, made, date)
    first = next(chunks)  # so that a store that is away is an error and not half an answer
    headers = {
        "Content-Disposition": f'attachment; filename="{generator.id}.zip"',
        "Cache-Control": "private, no-cache",
        "ETag": _etag(generator.record),
    }
    use.audit.note(
        who.actor, Action.GENERATOR_DOWNLOAD, who.tenant, generator.id, {"record_sha256": text_digest(generator.record)}
    )
    whole = chain([first], chunks)
    return LastingResponse(
        whole, use.authenticator, who, breaks_off=True, headers=headers, media_type="application/zip"
    )


@router.get(
    "/{generator_id}/record",
    operation_id="get_record",
    summary="Get a generator's unlearning record",
    response_class=Response,
    responses={**_RECORD, **errors("generator_not_found", "deleted", "invalid_request")},
)
def get_record(generator_id: GeneratorId, who: Reader, use: Use) -> Response:
    """Return what was asked, what ran and what was found, with the digest of every file, in one signed file: byte for
    byte as it was signed. A withheld generator has one too. `lethe record verify` checks it without the service."""
    generator = use.generators.get(generator_id, who.tenant)
    headers = {
        "Content-Disposition": f'attachment; filename="{generator.id}-record.json"',
        "Cache-Control": "private, no-cache",
        "ETag": _etag(generator.record),
    }
    return Response(generator.record.encode(), headers=headers, media_type="application/json")


@router.post(
    "/{generator_id}/release",
    operation_id="release_generator",
    summary="Release a withheld generator",
    responses=errors(
        "malformed",
        "too_large",
        "unsupported_media_type",
        "invalid_request",
        "generator_not_found",
        "deleted",
        "generator_not_withheld",
        "signing_key_missing",
        "record_not_trusted",
    ),
)
def release_generator(generator_id: GeneratorId, body: ReleaseRequest, who: Administrator, use: Use) -> GeneratorObject:
    """Serve a generator although its verdict is not `pass`. The verdict stays; who released it, why and when goes into
    a new record, which takes the place of the one before and names its digest. It cannot be undone. Needs the scope
    `admin`."""
    return GeneratorObject.of(release(use, who, generator_id, body.reason))


def _etag(record: str) -> str:
    """The record holds the digest of every other file of the archive, so it changes with any of them."""
    return f'"{text_digest(record)}"'
