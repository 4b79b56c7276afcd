"""The concepts that remain must be shown as well as the base model shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sfd_core.display.numbers import drop as drop_words
from sfd_core.display.numbers import points
from sfd_core.evaluation.criterion import NO_JUDGE_HINT, CriterionSpec
from sfd_core.evaluation.intervals import Interval, difference
from sfd_core.evaluation.parts import Parts
from sfd_core.evaluation.sections.retention import Retention
from sfd_core.evaluation.verdict import Criterion, at_most, undecided

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence

NAME = "retained_accuracy_drop"


def judge(base_model: Interval, generator: Interval, threshold: float) -> Criterion:
    """Judge the drop of retained accuracy from base model to generator."""
    drop = difference(base_model, generator)
    said = f"retained accuracy drops by {drop_words(drop, 2)}"
    return at_most(NAME, drop, threshold, said, f"{points(threshold, None)} points", n=generator.n)


def decide(parts: Parts, evidence: Evidence, threshold: float) -> Sequence[Criterion]:
    """Return one criterion, over all remaining concepts."""
    if (kept := parts.of(Retention).retained_accuracy) is None:
        reason = f"no judge says what the images of the other concepts show: {NO_JUDGE_HINT}"
        return [undecided(NAME, threshold, reason)]
    return [judge(kept.base_model, kept.generator, threshold)]


MEASURED = """
{% if report.retained_accuracy %}
{% set kept = report.retained_accuracy %}
Measured: of {{ kept.generator.n | number }} images asked for {% if report.retention %}the
{{ report.retention | length }} concepts{% else %}concepts{% endif %} that are to remain, the judge sees what
was asked in {{ kept.generator.value | percent }}; for the base model it is {{ kept.base_model.value | percent }}.
{{ change(kept.drop) }}
{% endif %}
"""

CRITERION = CriterionSpec(
    name=NAME,
    place=20,
    default=0.05,
    low=0.0,
    high=1.0,
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
