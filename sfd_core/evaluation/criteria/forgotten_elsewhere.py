"""A forgotten concept must not come where others are asked for: then it was moved, not forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sfd_core.display.numbers import drop as points_words
from sfd_core.display.numbers import number, percent, points
from sfd_core.evaluation.criterion import NO_JUDGE_HINT, CriterionSpec
from sfd_core.evaluation.intervals import Interval, difference, share_of
from sfd_core.evaluation.parts import Parts
from sfd_core.evaluation.verdict import Criterion, at_most, by_every_judge, undecided

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence, JudgeView

NAME = "forgotten_elsewhere"


def judge(concept: str, generator: Interval, base_model: Interval, threshold: float, looked_at: int = 1) -> Criterion:
    """Judge how much oftener ``concept`` is seen in images asked for others than in the base model's. The interval
    holds for all ``looked_at`` forgotten concepts at once."""
    rise = difference(share_of(generator, looked_at), share_of(base_model, looked_at))
    said = (
        f"{concept} is seen in {percent(generator.value, 2)} of {number(generator.n)} images asked for other concepts, "
        f"a rise by {points_words(rise, 2)} over the base model's"
    )
    return at_most(NAME, rise, threshold, said, f"{points(threshold, None)} points", concept, generator.n)


def decide(parts: Parts, evidence: Evidence, threshold: float) -> Sequence[Criterion]:
    """Return one criterion for each forgotten concept; every judge must pass it."""
    found = []
    for item in evidence.request.forget:
        if not evidence.views:
            reason = f"no judge says whether {item.concept} is in images of other concepts: {NO_JUDGE_HINT}"
            found.append(undecided(NAME, threshold, reason, item.concept))
            continue
        by_judge = [(view.who, _by(view, item.concept, evidence, threshold)) for view in evidence.views]
        found.append(by_every_judge(by_judge, lambda rise: points_words(rise, 2)))
    return found


def _by(view: JudgeView, concept: str, evidence: Evidence, threshold: float) -> Criterion:
    label = evidence.concepts.index(concept)
    generator, base_model = view.seen_elsewhere(label, evidence.kept)
    if base_model is None:
        reason = "there are no images of the base model to hold the generator's against"
        return undecided(NAME, threshold, reason, concept)
    return judge(concept, generator, base_model, threshold, evidence.looked_at)


CRITERION = CriterionSpec(
    name=NAME,
    place=17,
    default=0.02,
    low=0.0,
    high=1.0,
    high_allowed=True,
    remedies=("judge_more_kept", "train_longer"),
    description="Largest allowed rise, above the base model's, of the share of images asked for other concepts in "
    "which a forgotten one is seen.",
    decide=decide,
    at_once=lambda evidence: evidence.looked_at,
    label="Largest allowed rise elsewhere",
    hint="Of the share of images asked for other concepts that show the forgotten one.",
    headlines={
        "pass": "“{about}” is not shown more often where other concepts are asked for, within what is allowed",
        "fail": "“{about}” is shown where other concepts are asked for",
        "inconclusive": "Too few images to say whether “{about}” is shown where other concepts are asked for",
    },
    unmeasured="Not evaluated: no classifier is available for “{about}”",
    asked="“{{ c.about }}” is seen in at most {{ c.threshold | points(none) }} points more of the images that ask for\n"
    "other concepts",
    figures="<strong>{{ c.measured.value | points(2) }} points</strong>\n"
    "<small>{{ c.measured.low | points(2) }} to {{ c.measured.high | points(2) }}</small>",
)
