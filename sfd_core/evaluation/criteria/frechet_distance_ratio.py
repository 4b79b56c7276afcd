"""The remaining concepts must look about as real as the base model's own images of them. A ratio, because a distance
means something only beside another on the same features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sfd_core.display.numbers import measure, number
from sfd_core.evaluation.criterion import NO_JUDGE_HINT, CriterionSpec
from sfd_core.evaluation.intervals import Interval, ratio_of
from sfd_core.evaluation.parts import Parts
from sfd_core.evaluation.verdict import Criterion, at_most, undecided

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence

NAME = "frechet_distance_ratio"


def judge(generator: Interval, base_model: Interval, threshold: float) -> Criterion:
    """Hold the generator's Frechet distance to real images against the base model's own.

    The interval of the ratio r = g / b of two independent estimates, by the delta method on log r: their relative
    errors add in squares.
    """
    if base_model.value <= 0:
        reason = "the base model's own Frechet distance to real images is 0: nothing can be held against it"
        return undecided(NAME, threshold, reason)
    ratio = ratio_of(generator, base_model)
    said = f"Frechet distance to real images is {measure(ratio)} times the base model's"
    return at_most(NAME, ratio, threshold, said, number(threshold))


def too_few(images: int, needed: int, threshold: float) -> Criterion:
    """Leave the criterion undecided: the images are too few for a Frechet distance, whose covariance would be singular,
    so no number is made up."""
    reason = (
        f"a Frechet distance takes {number(needed)} images of remaining concepts, on both sides; "
        f"{number(images)} were judged"
    )
    return undecided(NAME, threshold, reason)


def decide(parts: Parts, evidence: Evidence, threshold: float) -> Sequence[Criterion]:
    """Return one criterion, on the judge's features."""
    from sfd_core.evaluation.metrics import enough, frechet_interval, images_needed

    if not evidence.has_judge:
        reason = f"there is no judge on whose features a distance could be measured: {NO_JUDGE_HINT}"
        return [undecided(NAME, threshold, reason)]
    kept, reference = evidence.kept, evidence.reference
    if not len(reference.real.labels):
        reason = (
            "there are no real images to measure a Frechet distance to: the base model ships no reference of any "
            "(docs/base-models.md says how to add one)"
        )
        return [undecided(NAME, threshold, reason)]
    samples = evidence.judgements.features(kept)
    real, base_model = (part.only(kept).features for part in (reference.real, reference.base_model))
    if not (enough(samples, real) and enough(base_model, real)):
        return [too_few(len(samples), images_needed(samples.shape[1]), threshold)]
    return [judge(frechet_interval(real, samples), frechet_interval(real, base_model), threshold)]


MEASURED = """
{% if c.measured %}
Measured: by Fréchet distance the generator's images are {{ c.measured.value | number }} times as far from real
ones as the base model's own (95% interval {{ c.measured.low | number }} to {{ c.measured.high | number }}); at
most {{ c.threshold | number }} times is allowed.
{% endif %}
"""

CRITERION = CriterionSpec(
    name=NAME,
    place=40,
    default=5.0,
    low=1.0,
    high=1000.0,
    high_allowed=True,
    description="Largest allowed Fréchet distance to real images, as a multiple of the base model's, on the judge's "
    "features and the remaining concepts.",
    decide=decide,
    label="Largest allowed Fréchet ratio",
    hint="Times the base model’s own Fréchet distance to real images.",
    headlines={
        "pass": "Images of the other concepts stay close to real ones, within what is allowed",
        "fail": "Images of the other concepts are further from real ones than is allowed",
        "inconclusive": "Too few images to say whether the other concepts still look as real as they should",
    },
    unmeasured="Not evaluated: without a classifier there are no features to measure a Fréchet distance on",
    asked="Images of the other concepts are at most {{ c.threshold | number }} times as far from real ones as the\n"
    "base model's",
    figures="<strong>{{ c.measured.value | number }} times</strong>\n"
    "<small>{{ c.measured.low | number }} to {{ c.measured.high | number }}</small>",
    measured=MEASURED,
)
