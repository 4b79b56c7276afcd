"""What images of the remaining concepts show in each other domain of a text-to-image model must not suffer either."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sfd_core.display.numbers import drop as drop_words
from sfd_core.display.numbers import points
from sfd_core.evaluation.accuracy_view import AccuracyView
from sfd_core.evaluation.criterion import CriterionSpec
from sfd_core.evaluation.parts import Parts
from sfd_core.evaluation.poor_base import held_to
from sfd_core.evaluation.sections.cross_domain import CrossDomain
from sfd_core.evaluation.verdict import Criterion, at_most, by_every_judge

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence

NAME = "cross_domain_accuracy_drop"


def judge(domain: str, view: AccuracyView, threshold: float) -> Criterion:
    """Judge the drop of accuracy in another domain than that of what was forgotten, as one judge sees it."""
    said = f"accuracy on {domain} drops by {drop_words(view.drop, 2)}"
    allowed = f"{points(threshold, None)} points"
    criterion = at_most(NAME, view.drop, threshold, said, allowed, domain, view.generator.n)
    return held_to(view.base_model, criterion, f"each {domain}")


def decide(parts: Parts, evidence: Evidence, threshold: float) -> Sequence[Criterion]:
    """Return one criterion for each other domain, which every judge of it must pass; none for a model of one domain, or
    where no judge looked."""
    return [
        by_every_judge(
            [(who, judge(row.domain, view, threshold)) for who, view in row.views], lambda drop: drop_words(drop, 2)
        )
        for row in parts.of(CrossDomain).cross_domain or ()
    ]


MEASURED = """
{% set there = (report.cross_domain or ()) | selectattr("domain", "equalto", c.about) | first %}
{% if there %}
Measured: of {{ there.generator.n | number }} images asked for what is to remain, the judge of each
{{ there.domain }} sees the {{ there.domain }} that was asked in {{ there.generator.value | percent }}; for the
base model it is {{ there.base_model.value | percent }}.
{{ change(there.drop) }}
{% if there.second_judge %}
 By its second judge {{ there.second_judge.base_model.value | percent }} became
{{ there.second_judge.generator.value | percent }}.
{% endif %}
{% endif %}
"""

CRITERION = CriterionSpec(
    name=NAME,
    place=30,
    default=0.05,
    low=0.0,
    high=1.0,
    description="Largest allowed drop of the accuracy in a text-to-image model's other domains below the base model's "
    "(forget an object: do the styles survive?). It does not apply to a model of one domain.",
    decide=decide,
    label="Largest allowed drop in other domains",
    hint="Forget an object: do the styles survive?",
    text_only=True,
    headlines={
        "pass": "Asked for what remains, each {about} is still shown as asked, within the loss that is allowed",
        "fail": "What is shown of each {about} suffered more than is allowed",
        "inconclusive": "Too few images to say whether what is shown of each {about} suffered more than is allowed",
    },
    unmeasured="Not evaluated: no classifier is available for the other domains",
    asked="Asked for what remains, each {{ c.about }} loses at most {{ c.threshold | points(none) }} points of\n"
    "accuracy",
    figures="<strong>{{ c.measured.value | points(2) }} points</strong>\n"
    "<small>{{ c.measured.low | points(2) }} to {{ c.measured.high | points(2) }}</small>",
    measured=MEASURED,
)
