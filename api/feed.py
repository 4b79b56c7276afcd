"""What wakes the event streams: one look at the database every half second for all of them, however many are open.

A stream that waits holds no thread and no connection, only a place in ``Feed``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection, Mapping

from starlette.concurrency import run_in_threadpool

from api.logs import log

EVERY_SECONDS = 0.5
_AFTER_FAILURE_SECONDS = 2.0


class Feed:
    """A feed that tells streams when their job has events that they have not seen.

    Args:
        last_seqs: the number of the last event of each of these jobs, in one query.
    """

    def __init__(self, last_seqs: Callable[[Collection[str]], Mapping[str, int]]) -> None:
        self._last_seqs = last_seqs
        self._waiting: dict[str, set[tuple[int, asyncio.Future[None]]]] = {}
        self._somebody = asyncio.Event()

    async def wait(self, job_id: str, seen: int, timeout: float) -> bool:
        """Wait until the job has an event after number ``seen``, or ``timeout`` seconds have passed (``False``)."""
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (seen, woken)
        self._waiting.setdefault(job_id, set()).add(place)
        self._somebody.set()
        try:
            await asyncio.wait_for(woken, timeout)
        except TimeoutError:
            return False
        finally:
            places = self._waiting[job_id]
            places.discard(place)
            if not places:
                del self._waiting[job_id]
        return True

    def wake(self) -> None:
        """Wake everybody who waits, whatever has happened."""
        for places in self._waiting.values():
            for _, woken in places:
                if not woken.done():
                    woken.set_result(None)

    async def run(self) -> None:
        """Look for new events until cancelled; ask nothing while nobody waits."""
        while True:
            self._somebody.clear()
            if not self._waiting:
                await self._somebody.wait()
            pause = EVERY_SECONDS
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 - the database may be away for a while: the streams outlast it
                log.warning("event_feed_interrupted", error=type(error).__name__)
                pause = _AFTER_FAILURE_SECONDS
            await asyncio.sleep(pause)

    async def _look(self) -> None:
        last = await run_in_threadpool(self._last_seqs, list(self._waiting))
        for job_id, seq in last.items():
            for seen, woken in self._waiting.get(job_id, ()):
                if seq > seen and not woken.done():
                    woken.set_result(None)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run for as long as the context is entered."""
        task = asyncio.create_task(self.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
