"""No single remaining concept may be lost: the mean over all hides one of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sfd_core.display.numbers import estimate, number, percent
from sfd_core.evaluation.criterion import NO_JUDGE_HINT, CriterionSpec
from sfd_core.evaluation.intervals import Interval, ratio_of, wilson, z_of_all
from sfd_core.evaluation.parts import Parts
from sfd_core.evaluation.poor_base import ENOUGH_SEEN, hardly_seen
from sfd_core.evaluation.verdict import Criterion, at_most, by_every_judge, undecided

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence, JudgeView

NAME = "worst_concept_loss"

Hits = tuple[int, int]
"""Images that show what was asked, and images."""


def loss(base_model: Hits, generator: Hits, looked_at: int) -> Interval:
    """Compute the accuracy that a concept lost, as a share of the base model's: 1 - g / b, with an interval that holds
    for all ``looked_at`` concepts at once."""
    z = z_of_all(looked_at)
    kept = ratio_of(wilson(*generator, z), wilson(*base_model, z))
    return Interval(1 - kept.value, 1 - kept.high, 1 - kept.low, generator[1])


def judge(found: Mapping[str, tuple[Hits, Hits]], threshold: float) -> Criterion:
    """Judge every concept, (base model's, generator's) by name, and return what is said of the worst.

    Whether any concept has lost more than ``threshold`` is Holm's first step, which is Bonferroni's; that each has lost
    less is held to the same, wider intervals. So the verdict is that of the worst bound: the worst is the concept whose
    interval decides.
    """
    losses = {concept: loss(*hits, len(found)) for concept, hits in found.items()}
    criteria = [
        at_most(
            NAME,
            lost,
            threshold,
            _said(concept, lost, len(found)),
            percent(threshold, None),
            concept,
        )
        for concept, lost in losses.items()
    ]
    failed = [one for one in criteria if one.decision == "fail"]
    unsure = [one for one in criteria if one.decision == "inconclusive"]
    return max(failed or unsure or criteria, key=lambda one: one.measured.value if one.measured else 0.0)


def _said(concept: str, lost: Interval, concepts: int) -> str:
    if lost.value <= 0:
        # The worst is the one that its interval leaves most in doubt.
        return (
            f"none of {number(concepts)} concepts loses any of the base model's accuracy; by its interval {concept} "
            f"may have lost up to {percent(max(0.0, lost.high))}"
        )
    return f"{concept} loses {estimate(lost)} of the base model's accuracy, the most of {number(concepts)} concepts"


def decide(parts: Parts, evidence: Evidence, threshold: float) -> Sequence[Criterion]:
    """Return one criterion, about the worst remaining concept; every judge must pass it."""
    if not evidence.views:
        reason = f"no judge says what the images of each other concept show: {NO_JUDGE_HINT}"
        return [undecided(NAME, threshold, reason)]
    found = [(view.who, _by(view, evidence, threshold)) for view in evidence.views]
    return [by_every_judge(found, estimate)]


def _by(view: JudgeView, evidence: Evidence, threshold: float) -> Criterion:
    """Look at every concept. Of one that the base model hardly shows only a loss counts: there is little to be kept."""
    found: dict[str, tuple[Hits, Hits]] = {}
    well_shown: dict[str, tuple[Hits, Hits]] = {}
    for label in evidence.kept:
        base_model, generator = view.base_model_right([label]), view.right([label])
        if base_model is None or base_model.value == 0:
            continue
        hits = _hits(base_model), _hits(generator)
        found[evidence.concepts[label]] = hits
        if not hardly_seen(base_model):
            well_shown[evidence.concepts[label]] = hits
    if found and (worst := judge(found, threshold)).decision == "fail":
        return worst
    if not well_shown:
        share = percent(ENOUGH_SEEN, None)
        reason = f"the judge sees none of the other concepts in {share} of the base model's own images of it"
        return undecided(NAME, threshold, reason)
    return judge(well_shown, threshold)


def _hits(share: Interval) -> Hits:
    return round(share.value * share.n), share.n


MEASURED = """
{% if c.measured and c.about and c.measured.value <= 0 %}
Measured: no remaining concept lost any of the accuracy that the base model has on it. Of “{{ c.about }}” the interval,
corrected for how many concepts were looked at, reaches to {{ c.measured.high | percent }}.
{% elif c.measured and c.about %}
Measured: “{{ c.about }}” lost {{ c.measured.value | percent }} of the accuracy that the base model has on it (interval
{{ c.measured.low | percent }} to {{ c.measured.high | percent }}, corrected for how many concepts were looked at); no
other remaining concept lost more.
{% endif %}
"""

CRITERION = CriterionSpec(
    name=NAME,
    place=25,
    default=0.25,
    low=0.0,
    high=1.0,
    high_allowed=True,
    remedies=("judge_more_kept", "train_longer"),
    description="Largest allowed loss of accuracy of any one remaining concept, as a share of the base model's "
    "accuracy on it. Its interval is corrected for how many concepts are looked at.",
    decide=decide,
    at_once=lambda evidence: len(evidence.kept),
    label="Largest allowed loss of one concept",
    hint="Of any one concept that remains, as a share of the base model’s accuracy on it.",
    headlines={
        "pass": "No single remaining concept lost more than is allowed",
        "fail": "“{about}” suffered more than is allowed",
        "inconclusive": "Too few images to say whether “{about}” suffered more than is allowed",
    },
    unmeasured="Not evaluated: no remaining concept can be judged by itself",
    asked="No single remaining concept loses more than {{ c.threshold | percent(none) }} of the base model's accuracy",
    figures="<strong>{{ c.measured.value | percent }}</strong> <small>{{ c.measured | interval }}</small>",
    measured=MEASURED,
)
