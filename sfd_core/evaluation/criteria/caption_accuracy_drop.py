"""The concepts that remain must still come where captions ask for them that no run was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sfd_core.display.numbers import drop as drop_words
from sfd_core.display.numbers import estimate, percent, points
from sfd_core.evaluation.accuracy_view import AccuracyView
from sfd_core.evaluation.criterion import CriterionSpec
from sfd_core.evaluation.parts import Parts
from sfd_core.evaluation.poor_base import ENOUGH_SEEN
from sfd_core.evaluation.sections.captions import Captions, questions
from sfd_core.evaluation.verdict import Criterion, at_most, if_any_measured, undecided

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence

NAME = "caption_accuracy_drop"


def judge(view: AccuracyView, threshold: float) -> Criterion:
    """Judge the drop of accuracy on unseen captions that one judge sees. Nothing is measured where it does not see the
    base model itself follow them: what is hardly there cannot be lost, and a small drop says nothing."""
    said = f"accuracy on unseen captions drops by {drop_words(view.drop, 2)}"
    criterion = at_most(NAME, view.drop, threshold, said, f"{points(threshold, None)} points", n=view.drop.n)
    if criterion.decision == "fail" or view.base_model.high >= ENOUGH_SEEN:
        return criterion
    reason = (
        f"in {estimate(view.base_model)} of the base model's own images of unseen captions the judge sees what was "
        f"asked: a small drop says nothing; a judge that sees it in {percent(ENOUGH_SEEN, None)} is needed"
    )
    return undecided(NAME, threshold, reason)


def decide(parts: Parts, evidence: Evidence, threshold: float) -> Sequence[Criterion]:
    """Return one criterion, which every judge must pass; none where there are no such captions or no judge sees the
    base model follow them, or no judge looked."""
    if evidence.could_not_ask(Captions, questions):
        reason = "what is evaluated takes labels alone: no caption could be asked for"
        return [undecided(NAME, threshold, reason)]
    if (captions := parts.of(Captions).retained_captions) is None:
        return []
    found = [(who, judge(view, threshold)) for who, view in captions.views]
    return if_any_measured(found, lambda drop: drop_words(drop, 2))


CRITERION = CriterionSpec(
    name=NAME,
    place=35,
    default=0.2,
    low=0.0,
    high=1.0,
    description="Largest allowed drop of the accuracy on captions of remaining concepts that no run is trained on, "
    "below the base model's. It does not apply where there are none.",
    decide=decide,
    label="Largest allowed drop on unseen captions",
    hint="Of accuracy on captions that no run is trained on.",
    text_only=True,
    headlines={
        "pass": "Asked for by unseen captions, the other concepts are still shown, within the loss that is allowed",
        "fail": "Asked for by unseen captions, the other concepts suffered more than is allowed",
        "inconclusive": "Too few images to say whether the other concepts suffered on unseen captions",
    },
    unmeasured="Not evaluated: no unseen caption could be judged",
    asked="On captions that no run is trained on, the other concepts lose at most {{ c.threshold | points(none) }}\n"
    "points of accuracy",
    figures="<strong>{{ c.measured.value | points(2) }} points</strong>\n"
    "<small>{{ c.measured.low | points(2) }} to {{ c.measured.high | points(2) }}</small>",
)
