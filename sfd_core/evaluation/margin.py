"""The margin of a run's own check: what it takes to say that a report on other images will pass.

A check and the report see different images. Where a criterion only just passes in the check, the report would fail it
about as often as not. And a run checks itself several times: sooner or later luck alone passes. So in a check each
threshold lies further than the request's by a margin, which grows with every check of a run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist

from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.evaluation.criterion import CriterionSpec
from sfd_core.evaluation.evaluate import Measurement
from sfd_core.evaluation.intervals import z_of_all
from sfd_core.evaluation.verdict import Criterion
from sfd_core.request.evaluation_plan import EvaluationPlan

CHANCE = 0.1
"""That the report does not pass a criterion whose figure lies just at the margin, over all checks of a run together."""


def quantile(check: int) -> float:
    """Return the normal quantile of a run's check number ``check``, from 1.

    The k-th has the share 1 / (k (k + 1)) of :data:`CHANCE`: together they have all of it, however many there are, so
    that a larger budget does not change what an earlier check asks for.
    """
    return NormalDist().inv_cdf(1 - CHANCE / (check * (check + 1)))


def widening(share: float, z: float, at_once: int = 1) -> float:
    """Return by how many half-widths of its own 95 % interval a figure must lie on the right side of its threshold.

    ``share``: images of the check over those of the report. The report's figure lies around the check's by the errors
    of both, ``z`` of them at most; then it is the end of the report's interval that must reach the threshold.
    ``at_once``: for how many figures the interval holds, which makes it wider than the error.
    """
    return math.sqrt(share) + z * math.sqrt(1 + share) / z_of_all(at_once)


def missing(found: Measurement, checked: EvaluationPlan, asked: EvaluationPlan, check: int) -> tuple[str, ...]:
    """Say what the measurement of a run's check number ``check`` lacks, in a sentence a criterion; nothing where the
    report would pass. ``checked``: the plan of the check; ``asked``: the report's."""
    z = quantile(check)
    shares = {
        True: checked.images_per_forgotten_concept / asked.images_per_forgotten_concept,
        False: checked.images_per_concept / asked.images_per_concept,
    }
    forgotten = {item.concept for item in found.evidence.request.forget}
    said = [one.reason for one in found.criteria if one.decision != "pass"]
    for name, spec in CRITERIA.items():
        criteria = [one for one in found.criteria if one.name == name]
        if not criteria or any(one.decision != "pass" for one in criteria) or _asks_nothing(spec, criteria[0]):
            continue
        widened = (widening(shares[one.about in forgotten], z, spec.at_once(found.evidence)) for one in criteria)
        further = max(margin(one, spec, by) for one, by in zip(criteria, widened, strict=True))
        threshold = criteria[0].threshold + (further if spec.at_least else -further)
        again = {one.about: one for one in spec.decide(found.parts, found.evidence, threshold)}
        # At the moved threshold some may apply that do not at the request's, which are not the report's; and the worst
        # concept, of which there is one, may be another.
        moved = {one.about: again.get(one.about, next(iter(again.values()))) for one in criteria}
        said += [
            f"within the margin of a check: {one.reason}" for one in criteria if moved[one.about].decision != "pass"
        ]
    return tuple(said)


def _asks_nothing(spec: CriterionSpec, criterion: Criterion) -> bool:
    """Whether the threshold is where a request switches the criterion off."""
    off: Mapping[bool, float] = {spec.low_allowed: spec.low, spec.high_allowed: spec.high}
    return criterion.threshold == off.get(True)


def margin(criterion: Criterion, spec: CriterionSpec, widened: float) -> float:
    """Return how far the threshold has to move, for the interval as it is to reach it where one that is ``widened``
    so many times reaches the request's."""
    measured = criterion.measured
    if measured is None:
        return 0.0
    half = measured.value - measured.low if spec.at_least else measured.high - measured.value
    return max(0.0, widened - 1) * half
