"""A job's events: a page of them, or a stream of them as they happen."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from starlette.responses import Response

from api.auth import Reader
from api.lasting import LastingResponse
from api.negotiation import preferred
from api.problems import Wrong, invalid
from api.routes.documented import errors
from api.routes.jobs import JobId
from api.schemas.common import ListOf
from api.schemas.jobs import EventObject, EventsQuery
from api.services import Use
from api.streams import event_stream, is_over

router = APIRouter(prefix="/v1/jobs", tags=["Jobs"])

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page of events, or with `Accept: text/event-stream` the events as they happen: `id:` is the "
        "sequence number, `event:` the type, `data:` the event as in the page. The stream ends after the event that "
        "ends the job; `: ping` comes every 15 s when nothing else does.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    },
    204: {"description": "With `Accept: text/event-stream`: nothing follows `Last-Event-ID`, and nothing will."},
}


@router.get(
    "/{job_id}/events",
    operation_id="list_events",
    summary="Read or follow a job's events",
    response_model=ListOf[EventObject],
    responses={**_STREAM, **errors("job_not_found", "deleted", "invalid_request", "not_acceptable")},
)
async def list_events(
    request: Request,
    job_id: JobId,
    query: Annotated[EventsQuery, Query()],
    who: Reader,
    use: Use,
    last_event_id: Annotated[
        str | None, Header(alias="Last-Event-ID", description="The `id:` that a stream gave last; as `after`.")
    ] = None,
) -> ListOf[EventObject] | Response:
    """List what has happened to a job, in order."""
    form = preferred(request.headers.get("accept"), ("application/json", "text/event-stream"))
    seen = query.after if last_event_id is None else _sequence_number(last_event_id)
    if form == "text/event-stream":
        job = await run_in_threadpool(use.jobs.get, job_id, who.tenant)
        if seen and is_over(job, seen):
            return Response(status_code=204)  # tells a browser's EventSource not to connect again
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return LastingResponse(
            event_stream(use, who.tenant, job_id, seen),
            use.authenticator,
            who,
            breaks_off=False,  # a reader that comes back goes on where it was
            headers=headers,
            media_type="text/event-stream",
        )
    found = await run_in_threadpool(use.jobs.events, job_id, seen, query.limit + 1, who.tenant)
    more = len(found) > query.limit
    data = [EventObject.of(event) for event in found[: query.limit]]
    return ListOf(data=data, has_more=more, next=str(data[-1].seq) if more else None)


def _sequence_number(text: str) -> int:
    """A ``Last-Event-ID`` as a number.

    Raises:
        Problem: ``invalid_request``.
    """
    if not (text.isascii() and text.isdecimal() and int(text[:20]) < 2**31):
        raise invalid([Wrong("/Last-Event-ID", "must be the id of an event of this job: a whole number", "header")])
    return int(text)
