"""The verdict: thresholds fixed before the run, decided by 95 % intervals, never by point estimates.

Plain: importing this does not import torch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from sfd_core.errors import FieldError, InvalidRequest

Decision = Literal["pass", "fail", "inconclusive"]
Z95 = 1.959963984540054
"""Standard normal quantile of a two-sided 95 % interval."""


@dataclass(frozen=True)
class Thresholds:
    """What a generator must reach to be released.

    ``unlearning_accuracy``: UA of each forgotten concept, at least. ``retained_accuracy_drop``: retained accuracy of
    the teacher minus the generator's, at most.
    """

    unlearning_accuracy: float = 0.99
    retained_accuracy_drop: float = 0.05

    def __post_init__(self) -> None:
        errors = [
            FieldError(f"/thresholds/{name}", f"must be above 0 and below 1, not {value}")
            for name, value in vars(self).items()
            if not 0 < value < 1
        ]
        if errors:
            raise InvalidRequest(tuple(errors))


@dataclass(frozen=True)
class EvaluationPlan:
    """How many images are judged: for each remaining concept, and for each forgotten one."""

    images_per_concept: int = 500
    images_per_forgotten_concept: int = 2000

    def __post_init__(self) -> None:
        errors = [
            FieldError(f"/evaluation/{name}", f"must be from 2 to 100000, not {value}")
            for name, value in vars(self).items()
            if not 2 <= value <= 100_000
        ]
        if errors:
            raise InvalidRequest(tuple(errors))


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval; ``n`` images stand behind it."""

    value: float
    low: float
    high: float
    n: int


def wilson(successes: int, n: int) -> Interval:
    """A proportion with Wilson's score interval (Wilson 1927)."""
    p = successes / n
    centre = (p + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * math.sqrt(p * (1 - p) / n + Z95**2 / (4 * n**2))
    # At 0 of n and n of n the bound is exactly 0 or 1; rounding must not move it.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(p, low, high, n)


def difference(first: Interval, second: Interval) -> Interval:
    """``first - second`` of two independent proportions: Newcombe's hybrid score interval (Newcombe 1998,
    method 10). ``n`` is the smaller of the two."""
    d = first.value - second.value
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    return Interval(d, d - below, d + above, min(first.n, second.n))


@dataclass(frozen=True)
class Criterion:
    """One threshold held against one interval, with what it says in words."""

    name: str
    decision: Decision
    threshold: float
    measured: Interval
    reason: str


def judge_unlearning(concept: str, not_seen: int, n: int, threshold: float) -> Criterion:
    """UA of one forgotten concept: ``not_seen`` of ``n`` images asked for it do not show it."""
    ua = wilson(not_seen, n)
    said = f"unlearning accuracy of {concept} is {ua.value:.4f} [{ua.low:.4f}, {ua.high:.4f}] on {n} images"
    if ua.low >= threshold:
        return Criterion("unlearning_accuracy", "pass", threshold, ua, f"{said}: above {threshold}")
    if ua.high < threshold:
        return Criterion("unlearning_accuracy", "fail", threshold, ua, f"{said}: below {threshold}")
    return Criterion(
        "unlearning_accuracy",
        "inconclusive",
        threshold,
        ua,
        f"{said}: the interval contains {threshold}; {_images_needed(ua.value, threshold)}",
    )


def judge_retention(teacher: Interval, generator: Interval, threshold: float) -> Criterion:
    """The drop of retained accuracy from teacher to generator."""
    drop = difference(teacher, generator)
    said = f"retained accuracy drops by {drop.value:.4f} [{drop.low:.4f}, {drop.high:.4f}]"
    if drop.high <= threshold:
        return Criterion("retained_accuracy_drop", "pass", threshold, drop, f"{said}: within {threshold}")
    if drop.low > threshold:
        return Criterion("retained_accuracy_drop", "fail", threshold, drop, f"{said}: more than {threshold}")
    gap = abs(threshold - drop.value)
    spread = max(drop.high - drop.value, drop.value - drop.low)
    needed = math.ceil(generator.n * (spread / gap) ** 2) if gap else None
    hint = f"about {needed} images would decide it" if needed else "no number of images decides a tie"
    return Criterion(
        "retained_accuracy_drop",
        "inconclusive",
        threshold,
        drop,
        f"{said}: the interval contains {threshold}; {hint}",
    )


def overall(criteria: tuple[Criterion, ...]) -> Decision:
    """``fail`` if any criterion fails, else ``inconclusive`` if any is, else ``pass``."""
    decisions = {criterion.decision for criterion in criteria}
    if "fail" in decisions:
        return "fail"
    return "inconclusive" if "inconclusive" in decisions else "pass"


def _images_needed(rate: float, threshold: float) -> str:
    """How many images would move Wilson's interval off ``threshold`` if the rate stayed as it is."""
    n = 100
    while n <= 10_000_000:
        interval = wilson(round(rate * n), n)
        if interval.low >= threshold or interval.high < threshold:
            return f"about {n} images would decide it"
        n = math.ceil(n * 1.1)
    return "no reasonable number of images decides it"
