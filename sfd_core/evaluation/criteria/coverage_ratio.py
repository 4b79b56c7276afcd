"""The remaining concepts must keep their variety: a few good pictures of each are not a generator."""

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

NAME = "coverage_ratio"


def judge(variety: Variety, threshold: float) -> Criterion:
    """Judge how much of the base model's variety is there."""
    said = (
        f"the images cover {estimate(variety.ratio)} of what {number(variety.n)} images of the base model's would "
        f"cover of its own pictures"
    )
    return at_least(NAME, variety.ratio, threshold, said, share=False)


def decide(parts: Parts, evidence: Evidence, threshold: float) -> Sequence[Criterion]:
    """Return one criterion, on the judge's features."""
    if not evidence.has_judge:
        reason = f"there is no judge on whose features variety could be measured: {NO_JUDGE_HINT}"
        return [undecided(NAME, threshold, reason)]
    if (variety := parts.of(Diversity).diversity) is None:
        reason = "variety takes more images of each remaining concept, of the generator or of the base model"
        return [undecided(NAME, threshold, reason)]
    return [judge(variety, threshold)]


MEASURED = """
{% if report.diversity %}
Measured: {{ report.diversity.generator | percent }} of the base model's pictures have an image of the generator near
them; for as many images of the base model's own it would be {{ report.diversity.base_model | percent }}.
{% endif %}
"""

CRITERION = CriterionSpec(
    name=NAME,
    place=50,
    default=0.25,
    low=0.0,
    low_allowed=True,
    high=1.0,
    remedies=("judge_more_kept", "train_longer"),
    description="Smallest allowed variety of the remaining concepts: the share of the base model's pictures that the "
    "generator's images cover (Naeem et al. 2020), over the share that as many images of the base model's would.",
    decide=decide,
    label="Smallest allowed variety",
    hint="Share of the base model’s own variety that must be left.",
    headlines={
        "pass": "The other concepts keep their variety, within the loss that is allowed",
        "fail": "The other concepts have lost their variety: too few different pictures",
        "inconclusive": "Too few images to say whether the other concepts keep their variety",
    },
    unmeasured="Not evaluated: without a classifier there are no features to measure variety on",
    asked="The other concepts keep at least {{ c.threshold | percent(none) }} of the base model's variety",
    figures="<strong>{{ c.measured.value | percent }}</strong> <small>{{ c.measured | interval }}</small>",
    measured=MEASURED,
    at_least=True,
)
