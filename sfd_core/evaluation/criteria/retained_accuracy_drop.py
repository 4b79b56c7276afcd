"""The concepts that remain must be shown as well as the base model shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sfd_core.display.numbers import drop as drop_words
from sfd_core.display.numbers import points
from sfd_core.evaluation.criterion import NO_JUDGE_HINT, CriterionSpec
from sfd_core.evaluation.intervals import Interval, difference
from sfd_core.evaluation.parts import Parts
from sfd_core.evaluation.poor_base import held_to
from sfd_core.evaluation.verdict import Criterion, at_most, by_every_judge, undecided

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence, JudgeView

NAME = "retained_accuracy_drop"


def judge(base_model: Interval, generator: Interval, threshold: float) -> Criterion:
    """Judge the drop of retained accuracy from base model to generator."""
    drop = difference(base_model, generator)
    said = f"retained accuracy drops by {drop_words(drop, 2)}"
    return at_most(NAME, drop, threshold, said, f"{points(threshold, None)} points", n=generator.n)


def decide(parts: Parts, evidence: Evidence, threshold: float) -> Sequence[Criterion]:
    """Return one criterion, over all remaining concepts; every judge must pass it."""
    if not evidence.views:
        reason = f"no judge says what the images of the other concepts show: {NO_JUDGE_HINT}"
        return [undecided(NAME, threshold, reason)]
    found = [(view.who, _by(view, evidence.kept, threshold)) for view in evidence.views]
    return [by_every_judge(found, lambda drop: drop_words(drop, 2))]


def _by(view: JudgeView, kept: Sequence[int], threshold: float) -> Criterion:
    base_model = view.base_model_right(kept)
    if base_model is None:
        return undecided(NAME, threshold, "there are no images of the base model to hold the generator's against")
    return held_to(base_model, judge(base_model, view.right(kept), threshold), "the other concepts")


MEASURED = """
{% if report.retained_accuracy %}
{% set kept = report.retained_accuracy %}
Measured: of {{ kept.generator.n | number }} images asked for {% if report.retention %}the
{{ report.retention | length }} concepts{% else %}concepts{% endif %} that are to remain, the judge sees what
was asked in {{ kept.generator.value | percent }}; for the base model it is {{ kept.base_model.value | percent }}.
{{ change(kept.drop) }}
{% if kept.second_judge %}
 By the second judge {{ kept.second_judge.base_model.value | percent }} became
{{ kept.second_judge.generator.value | percent }}.
{% endif %}
{% endif %}
"""

CRITERION = CriterionSpec(
    name=NAME,
    place=20,
    default=0.05,
    low=0.0,
    high=1.0,
    remedies=("judge_more_kept", "train_longer"),
    description="Largest allowed drop of the accuracy on the remaining concepts below the base model's.",
    decide=decide,
    label="Largest allowed drop in retained accuracy",
    hint="Of accuracy on the concepts that remain, below the base model’s own.",
    headlines={
        "pass": "The other concepts are still shown as asked, within the loss that is allowed",
        "fail": "The other concepts suffered more than is allowed",
        "inconclusive": "Too few images to say whether the other concepts suffered more than is allowed",
    },
    unmeasured="Not evaluated: no classifier is available for the other concepts",
    asked="The other concepts lose at most {{ c.threshold | points(none) }} points of accuracy",
    figures="<strong>{{ c.measured.value | points(2) }} points</strong>\n"
    "<small>{{ c.measured.low | points(2) }} to {{ c.measured.high | points(2) }}</small>",
    measured=MEASURED,
)
