"""What has happened to a job, as a page tells it: the curves so far, and the moments that matter.

A long run has a million events. A page must not read them all, and none of them at every refresh: what was read is
kept, for the jobs that were looked at last, and only what is new is read.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jobs.events import Event
from jobs.job import Job
from jobs.store import JobStore

_KEPT_JOBS = 64
_KEPT_MOMENTS = 60
_MAX_POINTS = 600


@dataclass(frozen=True)
class Point:
    """One quick evaluation in training, after so many images."""

    images: int
    unlearning_accuracy: float | None
    retained_accuracy: float | None
    loss_generator: float | None
    loss_fake_score: float | None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Point:
        """Read a point from an event's data or from a report's curve."""
        return cls(
            int(data["images"]),
            data.get("unlearning_accuracy"),
            data.get("retained_accuracy"),
            data.get("loss_generator"),
            data.get("loss_fake_score"),
        )


@dataclass
class Story:
    """The part of one job that was read so far, up to event number ``seq``."""

    seq: int = 0
    points: list[Point] = field(default_factory=list)
    moments: deque[Event] = field(default_factory=lambda: deque(maxlen=_KEPT_MOMENTS))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, evaluation: Event) -> None:
        """Take one quick evaluation in."""
        if "images" not in evaluation.data:
            return
        point = Point.of(evaluation.data)
        # A resumed attempt starts again at its checkpoint: what the one before did beyond it did not count.
        while self.points and self.points[-1].images >= point.images:
            self.points.pop()
        self.points.append(point)
        if len(self.points) > _MAX_POINTS:
            self.points = thinned(self.points)


class Stories:
    """The stories of the jobs that were looked at last."""

    def __init__(self, store: JobStore) -> None:
        self._store = store
        self._kept: OrderedDict[str, Story] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, job: Job) -> tuple[list[Point], list[Event]]:
        """Return the job's curve, and its moments with the newest first."""
        with self._lock:
            story = self._kept.setdefault(job.id, Story())
            self._kept.move_to_end(job.id)
            if len(self._kept) > _KEPT_JOBS:
                self._kept.popitem(last=False)
        with story.lock:
            moments, evaluations = self._store.told(job, story.seq, _KEPT_MOMENTS, _MAX_POINTS)
            story.moments.extend(moments)
            for evaluation in evaluations:
                story.add(evaluation)
            story.seq = max(story.seq, job.last_seq)
            return list(story.points), list(reversed(story.moments))


def thinned(points: Sequence[Point]) -> list[Point]:
    """Keep every second point, and the last."""
    return [*points[:-1:2], points[-1]]
