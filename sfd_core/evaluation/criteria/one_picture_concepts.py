"""Hardly any remaining concept may be one picture again and again: shares over all images hide those that are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sfd_core.display.numbers import number, percent
from sfd_core.evaluation.criterion import NO_JUDGE_HINT, CriterionSpec
from sfd_core.evaluation.parts import Parts
from sfd_core.evaluation.sections.diversity import Diversity, Variety
from sfd_core.evaluation.verdict import Criterion, at_most, undecided

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence

NAME = "one_picture_concepts"
NAMED = 5
"""Concepts that a reason names."""


def judge(variety: Variety, threshold: float) -> Criterion:
    """Judge how many concepts are hardly more than one picture."""
    share = variety.one_picture
    worst = [row.concept for row in sorted(variety.by_concept, key=lambda row: row.pictures or float("inf"))]
    count = round(share.value * len(worst))
    named = f" ({', '.join(worst[: min(count, NAMED)])}{' ...' if count > NAMED else ''})" if count else ""
    said = f"{number(count)} of {number(len(worst))} concepts are hardly more than one picture each{named}"
    return at_most(NAME, share, threshold, said, percent(threshold, None))


def decide(parts: Parts, evidence: Evidence, threshold: float) -> Sequence[Criterion]:
    """Return one criterion, on the judge's features."""
    if not evidence.has_judge:
        reason = f"there is no judge on whose features images could be told apart: {NO_JUDGE_HINT}"
        return [undecided(NAME, threshold, reason)]
    if (variety := parts.of(Diversity).diversity) is None:
        reason = "telling images apart takes more of each remaining concept, of the generator or of the base model"
        return [undecided(NAME, threshold, reason)]
    return [judge(variety, threshold)]


CRITERION = CriterionSpec(
    name=NAME,
    place=65,
    default=0.05,
    low=0.0,
    high=1.0,
    high_allowed=True,
    description="Largest allowed share of remaining concepts that are drawn as hardly more than one picture each: two "
    "of their images are alike as often as if there were fewer than 2.4 pictures, equally frequent.",
    decide=decide,
    label="Largest allowed share of one-picture concepts",
    hint="Of the concepts that remain: each drawn as the same picture again.",
    headlines={
        "pass": "The other concepts are each drawn as more than one picture, but for as many as are allowed",
        "fail": "Too many of the other concepts are drawn as one picture each",
        "inconclusive": "Too few images to say how many of the other concepts are drawn as one picture each",
    },
    unmeasured="Not evaluated: without a classifier there are no features to tell images apart by",
    asked="At most {{ c.threshold | percent(none) }} of the other concepts are drawn as one picture each",
    figures="<strong>{{ c.measured.value | percent }}</strong> <small>{{ c.measured | interval }}</small>",
)
