"""The lease of one attempt, as its runner holds it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from jobs.database import DATABASE_ERRORS, is_away
from jobs.errors import LeaseLost
from jobs.job import Renewal
from jobs.settings import Settings
from jobs.store import JobStore

logger = logging.getLogger("lethe.worker")

T = TypeVar("T")
RETRY_SECONDS = 0.5
"""Between two tries of a write that ends the attempt."""
CANCEL_SECONDS = 2.0
"""How often a silent process's job is asked whether it was cancelled."""


class Lease:
    """The lease of one attempt: renewed while the process moves, asked for cancellation, lost when it is lost.

    A database that is down for a while does not stop the run; but once the lease must have run out by our own clock,
    the attempt fences itself, since another may have been started.
    """

    def __init__(self, settings: Settings, store: JobStore, job_id: str, attempt: int) -> None:
        self.settings, self.store, self.job_id, self.attempt = settings, store, job_id, attempt
        now = time.monotonic()
        self.moved_at = self.renewed_at = self.asked_at = now
        self.cancel = False

    def moved(self) -> None:
        """Note that the process has said something."""
        self.moved_at = time.monotonic()

    def stalled(self) -> bool:
        return time.monotonic() - self.moved_at > self.settings.stall_seconds

    def cancel_requested(self) -> bool:
        """Renew or ask if it is time, and say whether the job was cancelled. Raises ``LeaseLost``."""
        now = time.monotonic()
        if now - self.asked_at >= min(CANCEL_SECONDS, self.settings.renew_seconds):
            self.keep()
        return self.cancel

    def keep(self) -> None:
        """Renew the lease now. Raises ``LeaseLost``."""
        self.asked_at = time.monotonic()
        self.write(lambda: self.store.renew(self.job_id, self.attempt, self.settings.lease_seconds), renews=True)

    def write(self, write: Callable[[], Renewal], *, renews: bool = False) -> None:
        """Make a fenced write that may be left out while the database is away. Raises ``LeaseLost``, also by our own
        clock."""
        began = time.monotonic()
        try:
            renewal = write()
        except DATABASE_ERRORS as error:
            self._bear(error)
            return
        self.cancel = self.cancel or renewal.cancel_requested
        if renews:
            self.renewed_at = began

    def commit(self, write: Callable[[], T]) -> T:
        """Make a fenced write that ends the attempt, again until the database answers. Where it was made and only the
        answer was lost, to make it again changes nothing. Raises ``LeaseLost``, also by our own clock."""
        while True:
            try:
                return write()
            except DATABASE_ERRORS as error:
                self._bear(error)
            time.sleep(RETRY_SECONDS)

    def _bear(self, error: Exception) -> None:
        """Go on after an ``error`` by which the database is away for now; any other is raised."""
        if not is_away(error):
            raise error
        logger.warning("the database does not answer: %s", error, extra={"job": self.job_id})
        if time.monotonic() - self.renewed_at > self.settings.lease_seconds:
            raise LeaseLost(f"{self.job_id}: the lease ran out while the database was away") from None
