"""Answers that last: event streams and downloads. Each goes on only while whoever asked for it may have it."""

from __future__ import annotations

import asyncio
from typing import Any

import anyio
from anyio import CancelScope
from starlette.concurrency import run_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.auth import Authenticator, Identity

RECHECK_SECONDS = 1.5
"""How often it is asked whether the key of an open answer is still good, beside what ``api.auth`` remembers of it."""
_LAST_WORD_SECONDS = 1.0


class LastingResponse(StreamingResponse):
    """An answer that is cut off within seconds of its key's end, whatever it is doing: also while it has something to
    send all the time, and while it waits for a slow reader. (What asks between two pieces, asks too late in both.)

    Args:
        breaks_off: a reader must not take what was cut off for the whole, so the connection breaks. Else the answer
            ends in good order.
    """

    def __init__(
        self, content: Any, authenticator: Authenticator, reader: Identity, *, breaks_off: bool, **others: Any
    ) -> None:
        super().__init__(content, **others)
        self._authenticator = authenticator
        self._reader = reader
        self._breaks_off = breaks_off

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer, or as much of it as may be sent."""
        with anyio.CancelScope() as sending:
            watch = asyncio.create_task(self._watch(sending))
            try:
                await super().__call__(scope, receive, send)
            finally:
                watch.cancel()
        if sending.cancelled_caught and not self._breaks_off:
            with anyio.move_on_after(_LAST_WORD_SECONDS):
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _watch(self, sending: CancelScope) -> None:
        try:
            while await run_in_threadpool(self._authenticator.still, self._reader, "read"):
                await asyncio.sleep(RECHECK_SECONDS)
        finally:  # whatever has ended the watch: nothing is sent unwatched
            sending.cancel()
