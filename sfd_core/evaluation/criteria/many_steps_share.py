"""Each forgotten concept must be gone from the network, not only from its one step: run over the base model's own
sampler for many steps, it must not draw it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sfd_core.display.numbers import estimate, number, percent
from sfd_core.evaluation.criterion import BEHIND_A_FILTER, CriterionSpec
from sfd_core.evaluation.intervals import share_of
from sfd_core.evaluation.parts import Parts
from sfd_core.evaluation.poor_base import ENOUGH_SEEN, hardly_seen
from sfd_core.evaluation.room import ceiling
from sfd_core.evaluation.sections.depth import ConceptDepth, Depth, DepthView
from sfd_core.evaluation.verdict import Criterion, at_most, by_every_judge, undecided
from sfd_core.request.concepts import Forget

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence

NAME = "many_steps_share"


def judge(row: ConceptDepth, view: DepthView, threshold: float, looked_at: int = 1) -> Criterion:
    """Judge the share of images in many steps in which one judge sees the concept. The interval holds for all
    ``looked_at`` forgotten concepts at once."""
    view = replace(view, many_steps=share_of(view.many_steps, looked_at))
    said = (
        f"drawn by the generator's network in many steps ({number(row.network_evaluations)} network evaluations), "
        f"{row.concept} is seen in {estimate(view.many_steps)} of {number(view.many_steps.n)} images"
    )
    criterion = at_most(NAME, view.many_steps, threshold, said, percent(threshold, None), row.concept)
    if criterion.decision == "fail" or threshold == CRITERION.high or not hardly_seen(view.base_model):
        return criterion
    reason = (
        f"drawn by the base model itself in as many steps, {row.concept} is seen in {estimate(view.base_model)} of its "
        f"images: that it is seen in few of the generator's is no evidence; a judge that sees it in at least "
        f"{percent(ENOUGH_SEEN, None)}, or a base model that draws it, is needed"
    )
    return replace(criterion, decision="inconclusive", reason=reason)


def decide(parts: Parts, evidence: Evidence, threshold: float) -> Sequence[Criterion]:
    """Return one criterion for each forgotten concept; every judge must pass it. None where there is no network behind
    one step to be asked: of a diffusion model, unlearning accuracy says the same."""
    if evidence.refused and threshold < CRITERION.high:
        return [undecided(NAME, threshold, BEHIND_A_FILTER, item.concept) for item in evidence.request.forget]
    rows = {row.concept: row for row in parts.of(Depth).depth or ()}
    return [
        by_every_judge(_by_judge(rows[item.concept], item, evidence, threshold), estimate)
        for item in evidence.request.forget
        if item.concept in rows
    ]


def _by_judge(row: ConceptDepth, item: Forget, evidence: Evidence, threshold: float) -> Sequence[tuple[str, Criterion]]:
    found = []
    for i, (who, view) in enumerate(row.views):
        criterion = judge(row, view, threshold, evidence.looked_at)
        most = ceiling(evidence.view_of(i), item, evidence)
        shown = 0.0 if most is None else 1 - most
        found_in = criterion.measured
        if criterion.decision == "fail" and found_in is not None and threshold < shown and found_in.low <= shown:
            reason = (
                f"{row.concept} is seen in {estimate(found_in)} of the images in many steps, but "
                f"{percent(threshold, None)} cannot be reached with this override: the judge sees it in "
                f"{percent(shown, 2)} of images of the override itself; another override leaves more room"
            )
            criterion = replace(criterion, decision="inconclusive", reason=reason)
        found.append((who, criterion))
    return found


MEASURED = """
{% set item = (report.depth or ()) | selectattr("concept", "equalto", c.about) | first %}
{% if c.measured and item %}
Measured: the generator's network was used as the diffusion model that it came from, over the base model's own sampler
({{ item.network_evaluations | number }} network evaluations an image). Of {{ item.judge.many_steps.n | number }} images
asked for “{{ item.concept }}”, the judge sees it in {{ item.judge.many_steps.value | percent }} ({{
confidence(item.judge.many_steps, 1) }}); of the base model's, in {{ item.judge.base_model.value | percent }}.
{% if item.second_judge %}The second judge sees it in {{ item.second_judge.many_steps.value | percent }} of the
generator's.{% endif %}
{% endif %}
"""

CRITERION = CriterionSpec(
    name=NAME,
    place=12,
    default=0.1,
    low=0.0,
    high=1.0,
    high_allowed=True,
    remedies=("another_override", "raise_deep_weight", "train_longer"),
    description="Largest allowed share of images that show a forgotten concept where the generator's own network is "
    "run over the base model's sampler for many steps. 1: it may show it in all. It applies to one-step generators.",
    decide=decide,
    at_once=lambda evidence: evidence.looked_at,
    label="Largest allowed share in many steps",
    hint="Share of images that show a forgotten concept where the network is run for many steps, as its base model is.",
    headlines={
        "pass": "“{about}” does not come back where the network is run for many steps, within what is allowed",
        "fail": "“{about}” comes back where the network is run for many steps: it is gone from its one step only",
        "inconclusive": "Not decided whether “{about}” comes back where the network is run for many steps",
    },
    unmeasured="Not evaluated: no classifier sees whether “{about}” comes back in many steps",
    asked="Run for many steps, the generator's network shows “{{ c.about }}” in at most\n"
    "{{ c.threshold | percent(none) }} of the images",
    figures="<strong>{{ c.measured.value | percent }}</strong> <small>{{ c.measured | interval }}</small>",
    measured=MEASURED,
)
