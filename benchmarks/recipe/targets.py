"""When a target was reached, by which arrangement, and how far one was ahead of the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sfd_core.evaluation.intervals import Interval


@dataclass(frozen=True)
class Point:
    """The figures after ``seconds`` of training. ``drop``: of RA below the base model's; ``ratio``: of the
    Frechet distance to real images over the base model's."""

    seconds: float
    step: int
    ua: Interval
    ra: Interval
    drop: Interval
    ratio: Interval


@dataclass(frozen=True)
class Target:
    """One figure of a point and its limit: the least allowed where more is better (``at_least``), else the most."""

    name: str
    figure: Callable[[Point], float]
    limit: float
    at_least: bool = False

    def held(self, point: Point) -> bool:
        """Return whether ``point`` holds it."""
        figure = self.figure(point)
        return figure >= self.limit if self.at_least else figure <= self.limit

    def best(self, points: Sequence[Point]) -> Point:
        """Return the point with the best figure; the first of equal ones."""
        return (max if self.at_least else min)(points, key=self.figure)


@dataclass(frozen=True)
class Goal:
    """A set of targets that must be held together."""

    targets: tuple[Target, ...]

    @property
    def name(self) -> str:
        return "; ".join(target.name for target in self.targets)

    def held(self, point: Point) -> bool:
        """Return whether ``point`` holds every target."""
        return all(target.held(point) for target in self.targets)

    def closest(self, points: Sequence[Point]) -> Point | None:
        """Return the point with the best figure of the last target among those that hold the others; None where none
        does."""
        *others, last = self.targets
        among = [point for point in points if Goal(tuple(others)).held(point)]
        return last.best(among) if among else None


@dataclass(frozen=True)
class Reached:
    """The point from which a goal counts as reached. ``after``: seconds of the point before it, which did not hold it;
    0 where there is none. It was reached somewhere between the two."""

    after: float
    point: Point


UA = Target("UA >= 0.99 (lower bound)", lambda point: point.ua.low, 0.99, at_least=True)
DROP = Target("RA drop <= 0.03", lambda point: point.drop.value, 0.03)


def ratio_below(limit: float) -> Target:
    """Return the target of a Frechet ratio of at most ``limit``."""
    return Target(f"Frechet ratio <= {limit:g}", lambda point: point.ratio.value, limit)


RATIO = ratio_below(1.5)
SINGLE = tuple(Goal((target,)) for target in (UA, DROP, RATIO))


def joint(ours: Sequence[Point]) -> tuple[Goal, ...]:
    """Return the goals of several targets: all three, all but the ratio, and all with the ratio that ``ours`` ends
    with, the larger of its last two points' (so that these can hold it), rounded up to a hundredth."""
    end = math.ceil(100 * max(point.ratio.value for point in ours[-2:])) / 100
    return Goal((UA, DROP, RATIO)), Goal((UA, DROP)), Goal((UA, DROP, ratio_below(end)))


def reached(points: Sequence[Point], goal: Goal) -> Reached | None:
    """Return the first of the first two consecutive points that hold ``goal``: a single one may be luck. None: it was
    not reached."""
    after = 0.0
    for first, second in pairwise(points):
        if goal.held(first) and goal.held(second):
            return Reached(after, first)
        after = first.seconds
    return None


def times_ahead(ours: Sequence[Point], theirs: Sequence[Point], goal: Goal) -> str:
    """Say how many times sooner ``ours`` reached ``goal``, with the range that the distances between points leave."""
    we, they = reached(ours, goal), reached(theirs, goal)
    if we is None:
        return "not reached by ours"
    at = we.point.seconds
    if they is None:
        # The last point may hold it, with none after it to say so.
        missed = max((point.seconds for point in theirs if not goal.held(point)), default=0.0)
        return f"at least {missed / at:.1f}"
    most = f"{they.point.seconds / we.after:.1f}" if we.after else "more"
    return f"{they.point.seconds / at:.1f} ({they.after / at:.1f} to {most})"
