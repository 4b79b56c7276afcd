"""The images of the remaining concepts must differ from each other: ten perfect pictures again and again are no
generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sfd_core.display.numbers import estimate, number
from sfd_core.evaluation.criterion import NO_JUDGE_HINT, CriterionSpec
from sfd_core.evaluation.parts import Parts
from sfd_core.evaluation.sections.diversity import Diversity, Variety
from sfd_core.evaluation.verdict import Criterion, at_least, undecided

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence

NAME = "distinct_images"


def judge(variety: Variety, threshold: float) -> Criterion:
    """Judge how many images repeat no other."""
    said = f"{estimate(variety.distinct)} of {number(variety.distinct.n)} images repeat no other of their concept"
    return at_least(NAME, variety.distinct, threshold, said, share=False)


def decide(parts: Parts, evidence: Evidence, threshold: float) -> Sequence[Criterion]:
    """Return one criterion, on the judge's features."""
    if not evidence.has_judge:
        reason = f"there is no judge on whose features images could be told apart: {NO_JUDGE_HINT}"
        return [undecided(NAME, threshold, reason)]
    if (variety := parts.of(Diversity).diversity) is None:
        reason = "telling images apart takes more of each remaining concept, of the generator or of the base model"
        return [undecided(NAME, threshold, reason)]
    return [judge(variety, threshold)]


MEASURED = """
{% if report.diversity %}
Measured: {{ report.diversity.distinct.value | percent }} of the generator's images have no other of their concept
nearer than half of what is usual between the base model's.
{% endif %}
"""

CRITERION = CriterionSpec(
    name=NAME,
    place=60,
    default=0.3,
    low=0.0,
    low_allowed=True,
    high=1.0,
    description="Smallest allowed share of the images of remaining concepts that repeat no other of their concept.",
    decide=decide,
    label="Smallest allowed share of distinct images",
    hint="Share of images that do not repeat another image.",
    headlines={
        "pass": "Images of the other concepts differ from each other, within what is allowed",
        "fail": "Too many images of the other concepts repeat each other",
        "inconclusive": "Too few images to say whether images of the other concepts repeat each other",
    },
    unmeasured="Not evaluated: without a classifier there are no features to tell images apart by",
    asked="At least {{ c.threshold | percent(none) }} of the images of the other concepts repeat no other",
    figures="<strong>{{ c.measured.value | percent }}</strong> <small>{{ c.measured | interval }}</small>",
    measured=MEASURED,
    at_least=True,
)
