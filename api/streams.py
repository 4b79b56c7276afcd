"""A job's events as a server-sent event stream that can be taken up again where it broke."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from fastapi.sse import format_sse_event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.concurrency import run_in_threadpool

from api.logs import log
from api.schemas.jobs import EventObject
from api.services import Services
from jobs.errors import Deleted
from jobs.events import Event
from jobs.job import Job
from jobs.states import EventType

PING_SECONDS = 15.0
RETRY_MILLISECONDS = 1000
LOOK_UP_SECONDS = 2.0
"""The longest that a stream waits without looking whether it must ping."""
_AFTER_FAILURE_SECONDS = 2.0
_BATCH = 500
_LAST = frozenset({EventType.SUCCEEDED, EventType.FAILED, EventType.CANCELLED})


def is_over(job: Job, seen: int) -> bool:
    """Return whether nothing can follow event number ``seen``: the job has ended and that was its last event."""
    return job.terminal and seen >= job.last_seq


async def event_stream(services: Services, tenant: str, job_id: str, seen: int) -> AsyncIterator[bytes]:
    """Yield the job's events after number ``seen``, as they happen. Ends after the event that ends the job, or when the
    server is asked to stop; a reader that comes back with ``Last-Event-ID`` misses nothing and gets nothing twice.
    """
    services.metrics.streams.inc()
    try:
        yield format_sse_event(retry=RETRY_MILLISECONDS, comment="events of a job: data is one JSON object each")
        quiet_since = time.monotonic()
        while not services.closing.is_set():
            try:
                batch = await _read(services, tenant, job_id, seen)
            except Deleted:  # nothing follows; a reader that comes back is told so
                return
            for event in batch:
                yield _message(event)
                seen = event.seq
            if batch:
                quiet_since = time.monotonic()
            if len(batch) == _BATCH:
                await asyncio.sleep(0)
                continue
            if batch and batch[-1].type in _LAST:
                return
            while not services.closing.is_set() and not await services.feed.wait(job_id, seen, LOOK_UP_SECONDS):
                if time.monotonic() - quiet_since >= PING_SECONDS - LOOK_UP_SECONDS / 2:
                    yield b": ping\n\n"
                    quiet_since = time.monotonic()
    finally:
        services.metrics.streams.dec()


async def _read(services: Services, tenant: str, job_id: str, seen: int) -> tuple[Event, ...]:
    """The next events; none where the database is away, which a stream outlasts."""
    try:
        return await run_in_threadpool(services.jobs.events, job_id, seen, _BATCH, tenant)
    except (DBAPIError, PoolTimeout) as error:
        log.warning("event_stream_interrupted", job_id=job_id, error=type(error).__name__)
        await asyncio.sleep(_AFTER_FAILURE_SECONDS)
        return ()


def _message(event: Event) -> bytes:
    return format_sse_event(data_str=EventObject.of(event).model_dump_json(), event=str(event.type), id=str(event.seq))
