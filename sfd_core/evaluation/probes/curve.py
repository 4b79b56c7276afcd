"""A relearning curve: unlearning accuracy over the steps of a fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass

from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.probes.subject import Network

HALF = 0.5


@dataclass(frozen=True)
class Point:
    """UA after ``step`` steps."""

    step: int
    accuracy: Interval


@dataclass(frozen=True)
class Curve:
    """One network taught from ``n`` images. Ends where UA is below one half by its whole interval, or with the last
    step that the probe allows."""

    network: Network
    n: int
    points: tuple[Point, ...]

    @property
    def steps_to_half(self) -> int | None:
        """The first step looked at where UA is below one half; None if it never is."""
        return next((point.step for point in self.points if point.accuracy.value < HALF), None)

    def at(self, step: int) -> Interval:
        """UA at ``step``, or at the curve's end where that came before."""
        return max((p for p in self.points if p.step <= step), key=lambda p: p.step).accuracy
