"""Each forgotten concept must be absent from the images that are asked for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sfd_core.display.numbers import estimate, number, percent
from sfd_core.evaluation.criterion import ENOUGH_SEEN, NO_JUDGE_HINT, CriterionSpec
from sfd_core.evaluation.intervals import wilson
from sfd_core.evaluation.parts import Parts
from sfd_core.evaluation.verdict import Criterion, at_least, by_every_judge, undecided
from sfd_core.request.concepts import Forget
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.overrides.judge import JudgeOverride

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence, JudgeView

NAME = "unlearning_accuracy"
SUGGESTED = 5
"""Overrides that are named where the request's leaves no room for its threshold."""


def judge(concept: str, not_seen: int, n: int, threshold: float) -> Criterion:
    """Judge the UA of one forgotten concept: ``not_seen`` of ``n`` images asked for it do not show it."""
    ua = wilson(not_seen, n)
    said = f"unlearning accuracy of {concept} is {estimate(ua, 2)} on {number(n)} images"
    return at_least(NAME, ua, threshold, said, concept)


def decide(parts: Parts, evidence: Evidence, threshold: float) -> Sequence[Criterion]:
    """Return one criterion for each forgotten concept; every judge must pass it."""
    return [_of(item, evidence, threshold) for item in evidence.request.forget]


def _of(item: Forget, evidence: Evidence, threshold: float) -> Criterion:
    concept = item.concept
    if not evidence.views:
        reason = f"no judge says whether {concept} is in an image: {NO_JUDGE_HINT}"
        return undecided(NAME, threshold, reason, concept)
    found = [(view.who, _by(view, item, evidence, threshold)) for view in evidence.views]
    criterion = by_every_judge(found, lambda ua: estimate(ua, 2))
    if isinstance(item.override, JudgeOverride) and len(found) == 1 and criterion.decision == "pass":
        reason = (
            f"{criterion.reason}, which also chose what {concept} became and cannot decide alone: it takes a second "
            f"judge, or another override"
        )
        return replace(criterion, decision="inconclusive", reason=reason)
    return criterion


def _by(view: JudgeView, item: Forget, evidence: Evidence, threshold: float) -> Criterion:
    label = evidence.concepts.index(item.concept)
    seen = view.generator[label]
    criterion = judge(item.concept, int((seen != label).sum()), len(seen), threshold)
    before = view.base_model_right([label])
    if criterion.decision == "fail" and criterion.measured is not None:
        if (
            (most := _ceiling(view, item, evidence)) is not None
            and most < threshold <= 1
            and criterion.measured.high >= most
        ):
            return replace(criterion, decision="inconclusive", reason=_cannot(criterion, item, evidence, most, view))
        return criterion
    if before is None or before.low < ENOUGH_SEEN:
        share = "none" if before is None else f"{estimate(before)}"
        reason = (
            f"the judge sees {item.concept} in {share} of the base model's own images of it: that it sees it in few of "
            f"the generator's is no evidence; a judge that sees it in at least {percent(ENOUGH_SEEN, None)}, or a base "
            f"model that draws it, is needed"
        )
        return replace(criterion, decision="inconclusive", reason=reason)
    return criterion


def _ceiling(view: JudgeView, item: Forget, evidence: Evidence) -> float | None:
    """The most that UA can be with this override: in some images of the override itself the judge sees the forgotten
    concept, be they real or the base model's. None where the override is not one concept that the judge knows."""
    if not isinstance(item.override, FixedOverride) or item.override.concept not in evidence.concepts:
        return None
    label, override = (evidence.concepts.index(name) for name in (item.concept, item.override.concept))
    return _room(view, label, override)


def _room(view: JudgeView, label: int, override: int) -> float | None:
    """1 - the larger share of images of ``override``, real or the base model's, in which the judge sees ``label``."""
    shares = [share for share in view.mistaken(label, override) if share is not None]
    return 1 - max(shares) if shares else None


def _cannot(criterion: Criterion, item: Forget, evidence: Evidence, most: float, view: JudgeView) -> str:
    """Why no generator could reach the threshold with this override, and with which it could."""
    assert isinstance(item.override, FixedOverride)
    assert criterion.measured is not None
    label = evidence.concepts.index(item.concept)
    rooms = {i: room for i in evidence.kept if (room := _room(view, label, i)) is not None}
    better = sorted((i for i, room in rooms.items() if room >= criterion.threshold), key=lambda i: -rooms[i])
    would = ", ".join(evidence.concepts[i] for i in better[:SUGGESTED])
    return (
        f"unlearning accuracy of {item.concept} is {estimate(criterion.measured, 2)}, but "
        f"{percent(criterion.threshold, None)} cannot be reached with this override: the judge sees {item.concept} in "
        f"{percent(1 - most, 2)} of images of {item.override.concept} itself. "
        + (f"Overrides that leave room: {would}" if would else "No other concept leaves room for this threshold")
    )


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
        "inconclusive": "Not decided whether “{about}” is shown more often than is allowed",
    },
    unmeasured="Not evaluated: no classifier is available for “{about}”",
    asked="“{{ c.about }}” is absent from at least {{ c.threshold | percent(none) }} of the images asked for it",
    figures="<strong>{{ c.measured.value | percent(2) }}</strong> <small>{{ c.measured | interval(2) }}</small>",
    measured=MEASURED,
    at_least=True,
)
