"""The remaining concepts must look about as real as the base model's own images of them. A ratio, because a distance
means something only beside another on the same features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sfd_core.display.numbers import measure, number, percent
from sfd_core.evaluation.criterion import NO_JUDGE_HINT, CriterionSpec, Material
from sfd_core.evaluation.intervals import Interval, ratio_of
from sfd_core.evaluation.parts import Parts
from sfd_core.evaluation.verdict import Criterion, at_most, undecided

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence

NAME = "frechet_distance_ratio"
KNOWN_TO = 0.25
"""How closely the base model's own distance must be known at as many images, as half of its 95 % interval over itself,
for a ratio to it to pass (docs/adr/0007)."""


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
    criterion = at_most(NAME, ratio, threshold, said, number(threshold))
    width = (base_model.high - base_model.low) / 2 / base_model.value
    if criterion.decision == "pass" and width > KNOWN_TO:
        images = math.ceil(generator.n * (width / KNOWN_TO) ** 2)
        reason = (
            f"{said}, but of {number(generator.n)} images a side the base model's own distance is known to "
            f"{percent(width, 0)} only: {percent(KNOWN_TO, None)} take about {number(images)} images"
        )
        return replace(criterion, decision="inconclusive", reason=reason)
    return criterion


def too_few(images: int, needed: int, threshold: float) -> Criterion:
    """Leave the criterion undecided: the images are too few for a Frechet distance, whose covariance would be singular,
    so no number is made up."""
    reason = (
        f"a Frechet distance takes {number(needed)} images of remaining concepts, on both sides; "
        f"{number(images)} were judged"
    )
    return undecided(NAME, threshold, reason)


def lacking(material: Material) -> str | None:
    """Say what keeps the criterion undecided whatever a generator makes, if anything: half of the real images, as many
    as a distance is measured to, must be more than the features."""
    if not material.judge:
        return f"there is no judge on whose features a distance could be measured: {NO_JUDGE_HINT}"
    if not material.real:
        return (
            "there are no real images to measure a Frechet distance to: the base model ships no reference of any "
            "(`lethe models measure NAME --real FOLDER` adds one)"
        )
    if material.real // 2 <= material.features:
        return (
            f"a Frechet distance takes {number(2 * (material.features + 1))} real images of remaining concepts; the "
            f"base model's reference has {number(material.real)}"
        )
    return None


def decide(parts: Parts, evidence: Evidence, threshold: float) -> Sequence[Criterion]:
    """Return one criterion, on the judge's features, from equally many images of both sides."""
    from sfd_core.evaluation.frechet_pair import equal_counts, frechet_pair
    from sfd_core.evaluation.metrics import images_needed

    if not evidence.has_judge:
        return [undecided(NAME, threshold, str(lacking(Material(judge=False))))]
    kept, reference = evidence.kept, evidence.reference
    real = reference.real.only(kept).features
    lacks = lacking(Material(True, len(real), real.shape[1]))
    if lacks is not None and not len(real):
        return [undecided(NAME, threshold, lacks)]
    generator = [evidence.judgements.features([label]) for label in kept]
    base_model = [reference.base_model.only([label]).features for label in kept]
    n, needed = sum(equal_counts(generator, base_model)), images_needed(real.shape[1])
    if n < needed:
        return [too_few(n, needed, threshold)]
    if lacks is not None:
        return [undecided(NAME, threshold, lacks)]
    ours, theirs = frechet_pair(real, generator, base_model)
    return [judge(ours, theirs, threshold)]


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
    remedies=("judge_more_kept", "train_longer"),
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
    lacking=lacking,
)
