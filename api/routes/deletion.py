"""Deletion: of jobs and generators, the tombstones that stay, and what is stored."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from api.auth import Administrator, Reader
from api.deleting import delete_generator, delete_job
from api.routes.documented import errors
from api.routes.generators import GeneratorId
from api.routes.jobs import JobId
from api.schemas.common import ListOf, PageQuery
from api.schemas.deletion import DeletionRequest, StorageObject, TombstoneObject
from api.services import Use
from jobs import storage, tombstones

router = APIRouter(prefix="/v1", tags=["Deletion"])

DeletedId = Annotated[
    str, Path(description="The id of what was deleted.", examples=["gen_019ab5f0c1de7a6b8c3d2e1f0a9b8c7d"])
]
_BODY = ("malformed", "too_large", "unsupported_media_type", "invalid_request", "signing_key_missing")
_RECORD: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A DSSE envelope around an in-toto Statement; without signatures where the service has no key.",
        "content": {"application/json": {"schema": {"type": "object", "additionalProperties": True}}},
    }
}


@router.delete(
    "/jobs/{job_id}",
    operation_id="delete_job",
    summary="Delete a job",
    responses=errors("job_not_found", "job_conflict", *_BODY),
)
def delete_one_job(job_id: JobId, body: DeletionRequest, who: Administrator, use: Use) -> TombstoneObject:
    """Delete a job that is over: its request, events, report, and its generator with it. A signed tombstone stays,
    which the job's paths answer with from then on (410 `deleted`). Deleting it again answers the same tombstone. One
    that waits or runs is to be cancelled first. It cannot be undone. Needs the scope `admin`."""
    return TombstoneObject.of(delete_job(use, who, job_id, body.reason))


@router.delete(
    "/generators/{generator_id}",
    operation_id="delete_generator",
    summary="Delete a generator",
    responses=errors("generator_not_found", *_BODY),
)
def delete_one_generator(
    generator_id: GeneratorId, body: DeletionRequest, who: Administrator, use: Use
) -> TombstoneObject:
    """Delete a generator, published or withheld. It is not served from that moment on, and gone from the samplers'
    memory and the artefact store within seconds. Its job and its report stay. A signed tombstone stays, which the
    generator's paths answer with from then on (410 `deleted`). Deleting it again answers the same tombstone. It cannot
    be undone. Needs the scope `admin`."""
    return TombstoneObject.of(delete_generator(use, who, generator_id, body.reason))


@router.get(
    "/tombstones",
    operation_id="list_tombstones",
    summary="List what was deleted",
    responses=errors("invalid_request", "bad_cursor"),
)
def list_tombstones(query: Annotated[PageQuery, Query()], who: Reader, use: Use) -> ListOf[TombstoneObject]:
    """List the tombstones of jobs and generators that were deleted, newest first. No other list has them."""
    page = tombstones.listed(use.engine, who.tenant, query.limit, query.after)
    return ListOf(data=[TombstoneObject.of(each) for each in page.data], has_more=page.has_more, next=page.next)


@router.get(
    "/tombstones/{deleted}",
    operation_id="get_tombstone",
    summary="Get a tombstone",
    responses=errors("tombstone_not_found", "invalid_request"),
)
def get_tombstone(deleted: DeletedId, who: Reader, use: Use) -> TombstoneObject:
    """Show what is kept of a job or a generator that was deleted, by the id that it had."""
    return TombstoneObject.of(tombstones.get(use.engine, deleted, who.tenant))


@router.get(
    "/tombstones/{deleted}/record",
    operation_id="get_tombstone_record",
    summary="Get a signed tombstone",
    response_class=Response,
    responses={**_RECORD, **errors("tombstone_not_found", "invalid_request")},
)
def get_tombstone_record(deleted: DeletedId, who: Reader, use: Use) -> Response:
    """Return the tombstone byte for byte as it was signed. `lethe record verify` checks it without the service, and
    that a copy of the generator is the one that was deleted."""
    statement = tombstones.get(use.engine, deleted, who.tenant).statement.encode()
    headers = {
        "Content-Disposition": f'attachment; filename="{deleted}-tombstone.json"',
        "Cache-Control": "private, no-cache",
        "ETag": f'"{hashlib.sha256(statement).hexdigest()}"',
    }
    return Response(statement, headers=headers, media_type="application/json")


@router.get("/storage", operation_id="get_storage", summary="Get what is stored", responses=errors())
def get_storage(who: Administrator, use: Use) -> StorageObject:
    """Show what the tenant has stored, by kind. Needs the scope `admin`."""
    return StorageObject.of(storage.usage(use.engine, who.tenant))
