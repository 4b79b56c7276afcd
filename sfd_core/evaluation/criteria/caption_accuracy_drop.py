"""The concepts that remain must still come where captions ask for them that no run was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sfd_core.display.numbers import drop as drop_words
from sfd_core.display.numbers import points
from sfd_core.evaluation.criterion import CriterionSpec
from sfd_core.evaluation.parts import Parts
from sfd_core.evaluation.poor_base import ENOUGH_SEEN
from sfd_core.evaluation.sections.captions import Captions, RetainedCaptions, questions
from sfd_core.evaluation.verdict import Criterion, at_most, undecided

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence

NAME = "caption_accuracy_drop"


def judge(captions: RetainedCaptions, threshold: float) -> Criterion | None:
    """Judge the drop of accuracy on unseen captions. None where the base model itself does not follow them: what is
    hardly there cannot be lost, and a small drop says nothing."""
    said = f"accuracy on unseen captions drops by {drop_words(captions.drop, 2)}"
    criterion = at_most(NAME, captions.drop, threshold, said, f"{points(threshold, None)} points", n=captions.drop.n)
    return criterion if criterion.decision == "fail" or captions.base_model.high >= ENOUGH_SEEN else None


def decide(parts: Parts, evidence: Evidence, threshold: float) -> Sequence[Criterion]:
    """Return one criterion; none where there are no such captions or the base model does not follow them, or no judge
    looked."""
    if evidence.could_not_ask(Captions, questions):
        reason = "what is evaluated takes labels alone: no caption could be asked for"
        return [undecided(NAME, threshold, reason)]
    captions = parts.of(Captions).retained_captions
    criterion = None if captions is None else judge(captions, threshold)
    return [] if criterion is None else [criterion]


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
