"""How fast an evaluation goes and how long it still takes. It counts twice, images and then pieces of the probes, and
each count has a pace of its own."""

from __future__ import annotations

import time


class Pace:
    """The pace of work, from every (done, of) that it is fed with; a count that falls has begun anew."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.last = 0

    def __call__(self, done: int, of: int) -> tuple[float, float]:
        """Pieces a second and seconds left, by the pace since the count began."""
        now = time.monotonic()
        if done < self.last:
            self.began = now
        self.last = done
        rate = done / max(now - self.began, 1e-3)
        return rate, (of - done) / max(rate, 1e-9)
