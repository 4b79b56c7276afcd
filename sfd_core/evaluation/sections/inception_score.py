"""How certain and how varied does the judge find the images? The inception score's formula on its probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfd_core.evaluation.field_types import Positive
from sfd_core.evaluation.section import Section

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence

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
    """The certainty and the variety of the images, as the judge finds them."""

    name: str
    """IS-judge: the formula on the judge's probabilities. Not comparable with scores on Inception's."""
    generator: Moments
    """Of the generator's images of remaining concepts."""


@dataclass(frozen=True)
class Certainty:
    """The inception score on the judge."""

    inception_score: InceptionScore | None = None
    """How certain and how varied the judge finds the images; null where no judge looked."""


def measure(evidence: Evidence) -> Certainty:
    """Measure the remaining concepts' images."""
    import numpy as np

    from sfd_core.evaluation.metrics import inception_score

    by_label = evidence.judgements.by_label
    probabilities = np.concatenate([by_label[label].judgement.probabilities for label in evidence.kept])
    score = inception_score(probabilities, min(SPLITS, len(probabilities)))
    return Certainty(InceptionScore("IS-judge", Moments(score.mean, score.std)))


FACT = """
{% if report.inception_score %}
{% set s = report.inception_score %}
<div><dt>{{ s.name }} <small>certain and varied; higher is better</small></dt>
  <dd>{{ s.generator.mean | number }} ± {{ s.generator.std | number(2) }}</dd></div>
{% endif %}
"""

SECTION = Section(place=91, part=Certainty, measure=measure, fact=FACT)
