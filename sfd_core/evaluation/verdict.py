"""The verdict: thresholds fixed before the run, decided by 95 % intervals, never by point estimates. Which thresholds
there are, and what is held against each, the files in ``criteria`` say.

Plain: importing this does not import torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from sfd_core.display.numbers import number, percent
from sfd_core.evaluation.field_types import Registered, not_said
from sfd_core.evaluation.intervals import Z95, Interval, wilson

Verdict = Literal["pass", "fail", "inconclusive"]
T = TypeVar("T")


@dataclass(frozen=True)
class Criterion:
    """One threshold held against one interval."""

    name: Annotated[str, Registered("sfd_core.evaluation.criteria:CRITERIA")]
    """`unlearning_accuracy` comes once for each forgotten concept, in the order of `forget`; so do `many_steps_share`
    and `part_noised_excess` of one-step generators, and `paraphrase_accuracy` for each that has paraphrases which say
    something; `cross_domain_accuracy_drop` once for each row of
    `cross_domain`; the others come once, those of text-to-image models where they apply."""
    decision: Verdict
    """pass: the whole interval lies on the allowed side of the threshold. fail: none of it does. inconclusive: the
    threshold lies within it, or nothing could be measured. Where two judges looked the worse decides."""
    threshold: float
    """The value from `thresholds` that it was held against."""
    measured: Interval | None
    """What was measured; null where the images were too few for any figure, or no evaluator was available."""
    reason: str
    """The decision in one sentence with its figures; where it is inconclusive, how many images would decide it, or what
    is missing."""
    about: str | None = None
    """The forgotten concept, the other domain or the worst remaining concept that it is about; null where it is about
    all that remains."""
    domain: Annotated[str | None, Field(exclude_if=not_said)] = None
    """The domain that it was judged in, where what was forgotten lies in several; else it is left out."""


def at_least(
    name: str,
    measured: Interval,
    threshold: float,
    said: str,
    about: str | None = None,
    *,
    share: bool = True,
    z: float = Z95,
) -> Criterion:
    """Judge a figure that must reach ``threshold``. ``said``: what was measured, in words. ``share``: it is one, with
    Wilson's interval, whose normal quantile is ``z``; else its interval narrows with the root of its images."""
    asked = percent(threshold, None)
    if measured.low >= threshold:
        return Criterion(name, "pass", threshold, measured, f"{said}: above {asked}", about)
    if measured.high < threshold:
        return Criterion(name, "fail", threshold, measured, f"{said}: below {asked}", about)
    needed = _images_needed(measured.value, threshold, z) if share else _more_images(measured, threshold, measured.n)
    reason = f"{said}: the interval contains {asked}; {needed}"
    return Criterion(name, "inconclusive", threshold, measured, reason, about)


def at_most(
    name: str,
    measured: Interval,
    threshold: float,
    said: str,
    allowed: str,
    about: str | None = None,
    n: int | None = None,
) -> Criterion:
    """Judge a figure that must not exceed ``threshold``, which is ``allowed`` in words. ``n``: images that more of
    would narrow the interval, if not the interval's own."""
    if measured.high <= threshold:
        return Criterion(name, "pass", threshold, measured, f"{said}: within {allowed}", about)
    if measured.low > threshold:
        return Criterion(name, "fail", threshold, measured, f"{said}: more than {allowed}", about)
    needed = _more_images(measured, threshold, measured.n if n is None else n)
    reason = f"{said}: the interval contains {allowed}; {needed}"
    return Criterion(name, "inconclusive", threshold, measured, reason, about)


def undecided(name: str, threshold: float, reason: str, about: str | None = None) -> Criterion:
    """Make an undecided criterion, where there is nothing to measure with: ``reason`` says what is missing and what
    would be right."""
    return Criterion(name, "inconclusive", threshold, None, reason, about)


def each_judge(first: T, second: T | None) -> tuple[tuple[str, T], ...]:
    """Return who judged, in words, with what follows from that. ``second``: None where there is no second judge."""
    if second is None:
        return (("one judge", first),)
    return (("the first judge", first), ("the second judge", second))


def by_every_judge(found: Sequence[tuple[str, Criterion]], words: Callable[[Interval], str]) -> Criterion:
    """Return what all judges together decide: each must pass, so the worst of ``found`` stands, the first of equals.

    ``found``: who judged, and what follows from that alone; ``words``: of what was measured. The reason says who
    decided, and what the others measured.
    """
    who, worst = min(found, key=lambda one: _SEVERITY[one[1].decision])
    others = [
        f"by {other} {words(criterion.measured)}"
        for other, criterion in found
        if criterion is not worst and criterion.measured is not None
    ]
    return replace(worst, reason=f"{worst.reason} ({'; '.join([f'by {who}', *others])})")


def if_any_measured(found: Sequence[tuple[str, Criterion]], words: Callable[[Interval], str]) -> list[Criterion]:
    """Return what all judges together decide, or nothing where no judge measured anything: what does not apply. A judge
    that measured nothing where another did has not passed."""
    return [by_every_judge(found, words)] if any(one.measured is not None for _, one in found) else []


_SEVERITY: Mapping[Verdict, int] = {"fail": 0, "inconclusive": 1, "pass": 2}


def overall(criteria: Sequence[Criterion]) -> Verdict:
    """Return ``fail`` if any criterion fails, else ``inconclusive`` if any is, else ``pass``."""
    decisions = {criterion.decision for criterion in criteria}
    if "fail" in decisions:
        return "fail"
    return "inconclusive" if "inconclusive" in decisions else "pass"


def _more_images(measured: Interval, threshold: float, n: int) -> str:
    """How many images would move the interval off ``threshold`` if the estimate stayed (width ~ 1 / sqrt(n))."""
    gap = abs(threshold - measured.value)
    spread = max(measured.high - measured.value, measured.value - measured.low)
    return (
        f"about {number(math.ceil(n * (spread / gap) ** 2))} images would decide it"
        if gap
        else "no number of images decides a tie"
    )


def _images_needed(rate: float, threshold: float, z: float) -> str:
    """How many images would move Wilson's interval off ``threshold`` if the rate stayed as it is. ``z``: the normal
    quantile of its level, as that of the interval that is there."""
    n = 100
    while n <= 10_000_000:
        interval = wilson(round(rate * n), n, z)
        if interval.low >= threshold or interval.high < threshold:
            return f"about {number(n)} images would decide it"
        n = math.ceil(n * 1.1)
    return "no reasonable number of images decides it"
