"""Is the variety kept? How much of the base model's pictures of what remains the generator's images cover."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from sfd_core.evaluation.field_types import Count, Positive, Share
from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.section import Section

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence


@dataclass(frozen=True)
class ConceptVariety:
    """The variety of one remaining concept."""

    concept: str
    """A concept that is to remain."""
    ratio: Positive
    """What its images cover, as a share of what as many of the base model's would."""
    distinct: Share
    """Share of its images that repeat no other."""
    pictures: Positive | None
    """How many equally frequent pictures its images are worth: 1 over how likely two of them are alike. Null where no
    two are."""


@dataclass(frozen=True)
class Variety:
    """The sides of variety, within each remaining concept: how much of the base model's is there (coverage, Naeem et
    al. 2020), whether the generator's own images differ from each other, and which concepts are one picture."""

    features: str
    """The network whose features the distances are measured on, and how many features it has."""
    neighbours: Annotated[int, Ge(1)]
    """A picture is covered if an image of the generator lies nearer to it than its neighbour of this rank among the base
    model's other pictures of the same concept."""
    n: Count
    """Images of the generator, remaining concepts only."""
    generator: Share
    """Share of the base model's pictures that the generator's images cover."""
    base_model: Share
    """Share that as many further images of the base model would cover: it follows from counting alone."""
    ratio: Interval
    """The first over the second, with a delete-a-group jackknife interval over the generator's images (20 groups). 1 is
    the base model's own variety."""
    distinct: Interval
    """Share of the generator's images that repeat no other image of their concept: none lies nearer than half of the
    base model's median distance between nearest images, among equally many. Delete-a-group jackknife interval."""
    one_picture: Interval
    """Share of the concepts that are hardly more than one picture: two of their images are alike (nearer than 0.3 of
    the base model's median distance between any two) as often as if there were fewer than 2.4, equally frequent, beyond
    how often the base model's own are. Its bounds count the concepts that are by the bounds of their own jackknife intervals."""
    by_concept: tuple[ConceptVariety, ...]
    """One row a remaining concept, in the base model's order."""

    @property
    def least(self) -> ConceptVariety:
        """The concept that lost most of its variety."""
        return min(self.by_concept, key=lambda row: row.ratio)


@dataclass(frozen=True)
class Diversity:
    """The variety of what remains."""

    diversity: Variety | None = None
    """Null where no judge looked, or the images are too few."""


def measure(evidence: Evidence) -> Diversity:
    """Measure on the judge's features, concept by concept."""
    from sfd_core.evaluation.alike import alike
    from sfd_core.evaluation.coverage import K, coverage
    from sfd_core.evaluation.distinct import distinct

    kept, part = evidence.kept, evidence.reference.base_model
    base_model = [part.only([label]).features for label in kept]
    samples = [evidence.judgements.features([label]) for label in kept]
    try:
        found, (own, own_by_concept) = coverage(base_model, samples), distinct(base_model, samples)
        same = alike(base_model, samples)
    except ValueError:  # too few on either side
        return Diversity()
    rows = tuple(
        ConceptVariety(evidence.concepts[label], ratio, share, pictures if isfinite(pictures) else None)
        for label, ratio, share, pictures in zip(kept, found.by_concept, own_by_concept, same.pictures, strict=True)
    )
    features = f"judge-{part.features.shape[1]}"
    n, both = found.ratio.n, (found.covered, found.expected)
    return Diversity(Variety(features, K, n, *both, found.ratio, own, same.concepts, rows))


FACT = """
{% if report.diversity %}
<div><dt>Variety <small>of the base model's: {{ report.diversity.base_model | percent }} of its pictures</small></dt>
  <dd>{{ report.diversity.generator | percent }} covered, {{ report.diversity.ratio.value | percent }} of that
  <small>({{ report.diversity.ratio | interval }}); least: {{ report.diversity.least.concept }},
  {{ report.diversity.least.ratio | percent }}</small></dd></div>
<div><dt>Distinct images <small>of the generator; the others repeat one of their concept</small></dt>
  <dd>{{ report.diversity.distinct.value | percent }} <small>({{ report.diversity.distinct | interval }})</small></dd></div>
<div><dt>Concepts drawn as hardly more than one picture <small>of those that remain</small></dt>
  <dd>{{ report.diversity.one_picture.value | percent }}</dd></div>
{% endif %}
"""

SECTION = Section(place=95, part=Diversity, measure=measure, fact=FACT)
