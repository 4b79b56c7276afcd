"""What images of the remaining concepts show in the other domains: forget an object, do the styles survive? The
cross-domain retained accuracy of UnlearnCanvas (Zhang et al. 2024, arXiv 2402.11846)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfd_core.evaluation.accuracy_view import AccuracyView
from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.section import Section
from sfd_core.evaluation.verdict import each_judge

if TYPE_CHECKING:
    from sfd_core.evaluation.evaluators import OtherDomain
    from sfd_core.evaluation.evidence import Evidence


@dataclass(frozen=True)
class ConceptOfDomain:
    """A concept of another domain."""

    concept: str
    """Its name."""
    generator: Interval | None
    """Share of the images that asked for it in which it is seen; null where none did."""
    base_model: Interval
    """The same of the base model."""


@dataclass(frozen=True)
class DomainAccuracy:
    """Accuracy in another domain by its own judges, on images asked for the concepts that are to remain."""

    domain: str
    """Its name."""
    generator: Interval
    """Share of the generator's images in which the domain's judge sees what was asked."""
    base_model: Interval
    """The same of the base model, measured once over all its concepts and stored with it; where it was not, on images
    of this evaluation."""
    drop: Interval
    """Base model minus generator, with Newcombe's interval."""
    by_concept: tuple[ConceptOfDomain, ...]
    """A row for each concept of that domain that is to remain, by the first judge."""
    second_judge: AccuracyView | None = None
    """The same over all its concepts by that domain's second judge; null where it has none, or none that saw the base
    model's images."""

    @property
    def views(self) -> tuple[tuple[str, AccuracyView], ...]:
        """What each judge sees, and who it is in words."""
        return each_judge(AccuracyView(self.generator, self.base_model, self.drop), self.second_judge)


@dataclass(frozen=True)
class CrossDomain:
    """The accuracy that remains in the other domains."""

    cross_domain: tuple[DomainAccuracy, ...] | None = None
    """Do images of the remaining concepts still show what they were asked to show in the other domains (forget an
    object: do the styles survive)? Null for a model of one domain."""


def measure(evidence: Evidence) -> CrossDomain:
    """Measure a row for each other domain. The base model's side is that domain's own reference: images of every
    concept that is to remain there, whatever they were asked for in this one.

    Raises:
        ValueError: for a domain without reference statistics.
    """
    return CrossDomain(tuple(_row(other, evidence) for other in evidence.evaluators.others) or None)


def _row(other: OtherDomain, evidence: Evidence) -> DomainAccuracy:
    import numpy as np

    from sfd_core.evaluation.rates import rate

    name = str(other.model.domain)
    ours = [evidence.judgements.by_label[label].others[name] for label in evidence.kept]
    asked = np.concatenate([part.asked for part in ours])
    right = np.concatenate([part.judgement.seen for part in ours]) == asked
    if other.reference is None:
        raise ValueError(f"no reference statistics of the domain {name}: none are shipped, and none were made")
    remains = [k for k, concept in enumerate(other.model.concepts) if _remains(concept, name, evidence)]
    reference = other.reference.base_model.only(remains)
    theirs = reference.seen == reference.labels
    first = AccuracyView.of(rate(right), rate(theirs))
    second, seconds = None, [part.second.seen for part in ours if part.second is not None]
    if len(seconds) == len(ours) and reference.second_seen is not None:
        of_second = rate(np.concatenate(seconds) == asked), rate(reference.second_seen == reference.labels)
        second = AccuracyView.of(*of_second)
    return DomainAccuracy(
        name,
        first.generator,
        first.base_model,
        first.drop,
        tuple(
            ConceptOfDomain(
                concept,
                # With few images a concept of a large domain may never have been asked for.
                rate(right[asked == k]) if (asked == k).any() else None,
                rate(theirs[reference.labels == k]),
            )
            for k, concept in enumerate(other.model.concepts)
            if k in remains
        ),
        second,
    )


def _remains(concept: str, domain: str, evidence: Evidence) -> bool:
    """Whether images were asked to show ``concept``: not what the same run forgets in that domain, which is not lost."""
    vocabulary = evidence.evaluators.model.vocabulary
    return vocabulary is None or any(each.name == concept for each in vocabulary.domains[domain])


PAGE = """
{% if report.cross_domain %}
{% call section("domains", "What remains, in the other domains") %}
<p class="lead">Images asked for what is to remain were asked to show something of another domain too. Forgetting in the
one must leave the other alone.</p>
{% for row in report.cross_domain %}
<div class="scroll">
<table class="figures-table">
  <thead>
    <tr><th scope="col">{{ row.domain | capitalize }}</th><th scope="col">Generator</th><th scope="col">Base model</th>
      <th scope="col">Drop, points</th></tr>
  </thead>
  <tbody>
    <tr class="total"><th scope="row">All</th>
      <td><strong>{{ row.generator.value | percent }}</strong> <small>{{ row.generator | interval }}</small></td>
      <td><strong>{{ row.base_model.value | percent }}</strong> <small>{{ row.base_model | interval }}</small></td>
      <td class="drop"><strong>{{ row.drop.value | points }}</strong>
        <small>{{ row.drop.low | points }} to {{ row.drop.high | points }}</small></td></tr>
    {% if row.second_judge %}
    {% set other = row.second_judge %}
    <tr><th scope="row">The same by the second judge</th>
      <td>{{ other.generator.value | percent }} <small>{{ other.generator | interval }}</small></td>
      <td>{{ other.base_model.value | percent }} <small>{{ other.base_model | interval }}</small></td>
      <td class="drop">{{ other.drop.value | points }}
        <small>{{ other.drop.low | points }} to {{ other.drop.high | points }}</small></td></tr>
    {% endif %}
    {% for one in row.by_concept %}
    {% set apart = one.generator and one.base_model.low > one.generator.high %}
    <tr><th scope="row">{{ one.concept }}</th>
      {% if one.generator %}
      <td><strong>{{ one.generator.value | percent }}</strong> <small>{{ one.generator | interval }}</small></td>
      {% else %}
      <td>not asked for</td>
      {% endif %}
      <td>{{ one.base_model.value | percent }} <small>{{ one.base_model | interval }}</small></td>
      <td{% if apart %} class="apart"{% endif %}>{% if one.generator
        %}{{ (one.base_model.value - one.generator.value) | points }}{{ " ▼" if apart }}{% endif %}</td></tr>
    {% endfor %}
  </tbody>
</table>
</div>
{% endfor %}
<p class="note">Share of images in which the judge of that domain sees what was asked, with 95% intervals; the base
model's was measured once, over all its concepts. ▼: the two intervals do not touch.</p>
{% endcall %}
{% endif %}
"""

TILES = """
{% for row in report.cross_domain or () %}
<div class="tile">
  <p class="label">Each {{ row.domain }} shown as asked</p>
  <p class="figures">
    <span class="was">{{ row.base_model.value | percent }}</span> <span aria-label="to">→</span>
    <strong>{{ row.generator.value | percent }}</strong>
  </p>
  <small>{{ row.generator.n | number }} images of what remains; at least
    {{ row.generator.low | percent(1, "down") }}</small>
</div>
{% endfor %}
"""

SECTION = Section(place=40, part=CrossDomain, measure=measure, page=PAGE, tiles=TILES)
