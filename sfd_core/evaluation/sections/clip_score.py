"""The CLIP score: how well do the images of what remains fit their prompts?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfd_core.evaluation.field_types import Digest
from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.section import Section

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence


@dataclass(frozen=True)
class ClipScore:
    """The mean CLIP score of the remaining concepts' images and their prompts."""

    model: str
    """The CLIP model."""
    digest: Digest
    """SHA-256 of its weights."""
    generator: Interval
    """Mean score of the generator's images against their prompts."""


@dataclass(frozen=True)
class PromptFit:
    """The fit of images to their prompts."""

    clip_score: ClipScore | None = None
    """Null where no CLIP weights were given: it is not measured then, and not replaced by another figure."""


def measure(evidence: Evidence) -> PromptFit:
    """Measure the mean over the images of the remaining concepts."""
    import numpy as np

    from sfd_core.evaluation.rates import mean_of

    if (clip := evidence.evaluators.clip) is None:
        return PromptFit()
    by_label = evidence.judgements.by_label
    scores = [found for label in evidence.kept if (found := by_label[label].clip) is not None]
    return PromptFit(ClipScore(clip.name, clip.digest, mean_of(np.concatenate(scores))))


FACT = """
<div><dt>CLIP score <small>image against its prompt</small></dt>
  <dd>{% if report.clip_score %}{{ report.clip_score.generator.value | number }}
  ({{ report.clip_score.generator | span }}), {{ report.clip_score.model }}{% else %}not measured: no CLIP weights
  were given{% endif %}</dd></div>
"""

SECTION = Section(place=92, part=PromptFit, measure=measure, needs_judge=False, fact=FACT)
