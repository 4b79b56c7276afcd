"""A brake on guesses: after some failures of one address it has to wait."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from api.problems import Problem

FAILURES, SECONDS = 10, 60.0
"""That an address may have within so many seconds."""
ADDRESSES = 10_000
"""That are remembered; of more the one that failed longest ago is forgotten."""


class Brake:
    """The failures of each address lately. ``clock``: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: OrderedDict[str, list[float]] = OrderedDict()
        self._lock = threading.Lock()

    def check(self, address: str) -> None:
        """Let ``address`` try again.

        Raises:
            Problem: ``too_many``, with the seconds to wait, where it has failed too often.
        """
        with self._lock:
            recent = self._recent(address)
        if len(recent) >= FAILURES:
            wait = max(1, math.ceil(recent[-FAILURES] + SECONDS - self._clock()))
            raise Problem(
                "too_many",
                f"{FAILURES} wrong keys within {SECONDS:g} s from your address: wait {wait} s",
                headers={"Retry-After": str(wait)},
            )

    def failed(self, address: str) -> None:
        """Note a failure of ``address``."""
        with self._lock:
            self._failed[address] = [*self._recent(address), self._clock()][-FAILURES:]
            self._failed.move_to_end(address)
            while len(self._failed) > ADDRESSES:
                self._failed.popitem(last=False)

    def _recent(self, address: str) -> list[float]:
        since = self._clock() - SECONDS
        return [when for when in self._failed.get(address, ()) if when > since]
