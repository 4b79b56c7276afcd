"""How certain and how varied do the judge, and Inception, find the images? The inception score's formula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfd_core.evaluation.field_types import Positive
from sfd_core.evaluation.section import Section

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence
    from sfd_core.evaluation.features import Features

SPLITS = 10
"""Parts over which it is averaged, fewer where there are fewer images."""


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation over splits."""

    mean: Positive
    """Mean over the splits; 1 at least, and at most the number of concepts."""
    std: Positive
    """Standard deviation over the splits."""


@dataclass(frozen=True)
class InceptionScore:
    """The certainty and the variety of the images, as one classifier finds them."""

    name: str
    """IS-judge: the formula on the judge's probabilities, not comparable with scores on Inception's. IS: on the
    standard Inception weights alone."""
    generator: Moments
    """Of the generator's images of remaining concepts."""


@dataclass(frozen=True)
class Certainty:
    """The inception score, on the judge and on Inception."""

    inception_score: InceptionScore | None = None
    """How certain and how varied the judge finds the images; null where no judge looked."""
    standard_inception_score: InceptionScore | None = None
    """The same by Inception, as published; null where its weights were not given."""


def measure(evidence: Evidence) -> Certainty:
    """Measure the remaining concepts' images."""
    import numpy as np

    from sfd_core.evaluation.features import Inception, is_name

    judged = None
    if evidence.has_judge:
        by_label = evidence.judgements.by_label
        judged = _score(
            "IS-judge", np.concatenate([by_label[label].judgement.probabilities for label in evidence.kept])
        )
    for extractor in evidence.evaluators.extractors:
        if isinstance(extractor, Inception):
            features = evidence.judgements.features(evidence.kept, extractor.name)
            name = is_name(extractor.name, extractor.digest)
            return Certainty(judged, _score(name, extractor.probabilities(features)))
    return Certainty(judged)


def _score(name: str, probabilities: Features) -> InceptionScore:
    from sfd_core.evaluation.metrics import inception_score

    score = inception_score(probabilities, min(SPLITS, len(probabilities)))
    return InceptionScore(name, Moments(score.mean, score.std))


FACT = """
{% for s in (report.inception_score, report.standard_inception_score) if s %}
<div><dt>{{ s.name }} <small>certain and varied; higher is better</small></dt>
  <dd>{{ s.generator.mean | number }} ± {{ s.generator.std | number(2) }}</dd></div>
{% endfor %}
"""

SECTION = Section(place=91, part=Certainty, measure=measure, needs_judge=False, fact=FACT)
