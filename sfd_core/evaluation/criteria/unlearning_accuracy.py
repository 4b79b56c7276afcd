"""Each forgotten concept must be absent from the images that are asked for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sfd_core.display.numbers import estimate, number
from sfd_core.evaluation.criterion import NO_JUDGE_HINT, CriterionSpec
from sfd_core.evaluation.intervals import wilson
from sfd_core.evaluation.parts import Parts
from sfd_core.evaluation.sections.unlearning import Unlearning
from sfd_core.evaluation.verdict import Criterion, at_least, undecided

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence

NAME = "unlearning_accuracy"


def judge(concept: str, not_seen: int, n: int, threshold: float) -> Criterion:
    """Judge the UA of one forgotten concept: ``not_seen`` of ``n`` images asked for it do not show it."""
    ua = wilson(not_seen, n)
    said = f"unlearning accuracy of {concept} is {estimate(ua, 2)} on {number(n)} images"
    return at_least(NAME, ua, threshold, said, concept)


def decide(parts: Parts, evidence: Evidence, threshold: float) -> Sequence[Criterion]:
    """Return one criterion for each forgotten concept."""
    return [
        judge(row.concept, row.n - row.seen, row.n, threshold)
        if row.seen is not None
        else undecided(
            NAME, threshold, f"no judge says whether {row.concept} is in an image: {NO_JUDGE_HINT}", row.concept
        )
        for row in parts.of(Unlearning).unlearning
    ]


MEASURED = """
{% set item = report.unlearning | selectattr("concept", "equalto", c.about) | first %}
{% if c.measured and item %}
Measured: of {{ item.n | number }} images asked for “{{ item.concept }}”, the judge sees “{{ item.concept }}” in
{{ item.seen | number }} ({{ item.shown.value | percent(2) }}; {{ confidence(item.shown, 2) }}).
{% if before[item.concept] is not none %} The base model shows it in {{ before[item.concept] | percent }}.{% endif %}
{% if item.share_override is number and item.override is string %}
 In {{ item.share_override | percent }} the judge sees {{ item.override | override }} instead, as was asked.
{% endif %}
{% if item.second_judge %}
 The second judge sees “{{ item.concept }}” in {{ item.second_judge.seen | number }}.
{% endif %}
{% endif %}
"""

CRITERION = CriterionSpec(
    name=NAME,
    place=10,
    default=0.99,
    low=0.0,
    high=1.0,
    description="At least this share of images asked for a forgotten concept must not show it.",
    decide=decide,
    label="Smallest allowed unlearning accuracy",
    hint="Share of images asked for a forgotten concept that must not show it.",
    headlines={
        "pass": "“{about}” is not shown when it is asked for, within what is allowed",
        "fail": "“{about}” is still shown when it is asked for, more often than is allowed",
        "inconclusive": "Too few images to say whether “{about}” is shown more often than is allowed",
    },
    unmeasured="Not evaluated: no classifier is available for “{about}”",
    asked="“{{ c.about }}” is absent from at least {{ c.threshold | percent(none) }} of the images asked for it",
    figures="<strong>{{ c.measured.value | percent(2) }}</strong> <small>{{ c.measured | interval(2) }}</small>",
    measured=MEASURED,
    at_least=True,
)
