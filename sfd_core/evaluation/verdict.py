"""The verdict: thresholds fixed before the run, decided by 95 % intervals, never by point estimates.

Plain: importing this does not import torch.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

from sfd_core.display.numbers import drop as drop_words
from sfd_core.display.numbers import estimate, measure, number, percent, points
from sfd_core.evaluation.intervals import Interval, difference, ratio_of, wilson

Decision = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class Criterion:
    """One threshold held against one interval, with what it says in words. ``measured`` is ``None`` where the images
    are too few for any number."""

    name: str
    decision: Decision
    threshold: float
    measured: Interval | None
    reason: str


def judge_unlearning(concept: str, not_seen: int, n: int, threshold: float) -> Criterion:
    """UA of one forgotten concept: ``not_seen`` of ``n`` images asked for it do not show it."""
    ua = wilson(not_seen, n)
    said = f"unlearning accuracy of {concept} is {estimate(ua, 2)} on {number(n)} images"
    if ua.low >= threshold:
        return Criterion("unlearning_accuracy", "pass", threshold, ua, f"{said}: above {percent(threshold, None)}")
    if ua.high < threshold:
        return Criterion("unlearning_accuracy", "fail", threshold, ua, f"{said}: below {percent(threshold, None)}")
    return Criterion(
        "unlearning_accuracy",
        "inconclusive",
        threshold,
        ua,
        f"{said}: the interval contains {percent(threshold, None)}; {_images_needed(ua.value, threshold)}",
    )


def judge_retention(teacher: Interval, generator: Interval, threshold: float) -> Criterion:
    """The drop of retained accuracy from teacher to generator."""
    return _judge_drop("retained_accuracy_drop", "retained accuracy", teacher, generator, threshold)


def judge_cross_domain(domain: str, teacher: Interval, generator: Interval, threshold: float) -> Criterion:
    """The same in another domain than that of what was forgotten."""
    return _judge_drop("cross_domain_accuracy_drop", f"accuracy on {domain}", teacher, generator, threshold)


def _judge_drop(name: str, what: str, teacher: Interval, generator: Interval, threshold: float) -> Criterion:
    drop = difference(teacher, generator)
    said = f"{what} drops by {drop_words(drop, 2)}"
    allowed = f"{points(threshold, None)} points"
    if drop.high <= threshold:
        return Criterion(name, "pass", threshold, drop, f"{said}: within {allowed}")
    if drop.low > threshold:
        return Criterion(name, "fail", threshold, drop, f"{said}: more than {allowed}")
    hint = _more_images(dataclasses.replace(drop, n=generator.n), threshold)
    return Criterion(name, "inconclusive", threshold, drop, f"{said}: the interval contains {allowed}; {hint}")


def judge_distance(generator: Interval, teacher: Interval, threshold: float) -> Criterion:
    """The generator's Frechet distance to real images, held against the teacher's own.

    The interval of the ratio r = g / t of two independent estimates, by the delta method on log r: their relative
    errors add in squares.
    """
    if teacher.value <= 0:
        reason = "the teacher's own Frechet distance to real images is nought: nothing can be held against it"
        return Criterion("frechet_distance_ratio", "inconclusive", threshold, None, reason)
    ratio = ratio_of(generator, teacher)
    said = f"Frechet distance to real images is {measure(ratio)} times the teacher's"
    name = "frechet_distance_ratio"
    if ratio.high <= threshold:
        return Criterion(name, "pass", threshold, ratio, f"{said}: within {number(threshold)}")
    if ratio.low > threshold:
        return Criterion(name, "fail", threshold, ratio, f"{said}: more than {number(threshold)}")
    needed = _more_images(ratio, threshold)
    return Criterion(
        name, "inconclusive", threshold, ratio, f"{said}: the interval contains {number(threshold)}; {needed}"
    )


def undecided_distance(images: int, needed: int, threshold: float) -> Criterion:
    """Too few images for a Frechet distance: its covariance would be singular, so no number is made up."""
    reason = (
        f"a Frechet distance takes {number(needed)} images of remaining concepts, on both sides; "
        f"{number(images)} were judged"
    )
    return undecided("frechet_distance_ratio", threshold, reason)


def undecided(name: str, threshold: float, reason: str) -> Criterion:
    """Where there is nothing to measure with: ``reason`` says what is missing and what would be right."""
    return Criterion(name, "inconclusive", threshold, None, reason)


def _more_images(measured: Interval, threshold: float) -> str:
    """How many images would move the interval off ``threshold`` if the estimate stayed (width ~ 1 / sqrt(n))."""
    gap = abs(threshold - measured.value)
    spread = max(measured.high - measured.value, measured.value - measured.low)
    return (
        f"about {number(math.ceil(measured.n * (spread / gap) ** 2))} images would decide it"
        if gap
        else "no number of images decides a tie"
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
            return f"about {number(n)} images would decide it"
        n = math.ceil(n * 1.1)
    return "no reasonable number of images decides it"
