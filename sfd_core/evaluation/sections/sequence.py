"""What was forgotten earlier: of a generator that goes on from another, the unlearning accuracy of each concept that is
kept forgotten, over the sequence of generators."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfd_core.evaluation.field_types import Share
from sfd_core.evaluation.section import Section
from sfd_core.evaluation.sections.unlearning import measure as unlearning

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence
    from sfd_core.request.parent import Parent


@dataclass(frozen=True)
class InSequence:
    """The unlearning accuracy of a concept in one generator of a sequence."""

    generator: str | None
    """The generator's id; null of the one that this report is about."""
    value: Share
    """Its unlearning accuracy."""
    low: Share
    """The lower end of the 95 % interval."""
    high: Share
    """The upper end."""


@dataclass(frozen=True)
class KeptForgotten:
    """A concept that an earlier generator of the sequence had forgotten, and that this one is to keep forgotten."""

    concept: str
    """Its name."""
    accuracy: tuple[InSequence, ...]
    """Its unlearning accuracy in each generator that had forgotten it, the first of them first, this one last."""


@dataclass(frozen=True)
class Sequence:
    """The concepts that were forgotten earlier, and what became of them."""

    kept_forgotten: tuple[KeptForgotten, ...] | None = None
    """A row for each concept that is kept forgotten; null where the run began with the base model. Where what is
    forgotten lies in several domains, a report has the rows of all, and each row of `further_domains` those of its
    own, null where it has none."""


def measure(evidence: Evidence) -> Sequence:
    """Put what this report measures of each kept concept behind what the reports before it did."""
    parent = evidence.request.parent
    if parent is None:
        return Sequence()
    now = {row.concept: row.accuracy for row in unlearning(evidence).unlearning}
    rows = []
    for concept in parent.kept:
        accuracy = now[concept]
        last = () if accuracy is None else (InSequence(None, accuracy.value, accuracy.low, accuracy.high),)
        rows.append(KeptForgotten(concept, (*_before(concept, parent), *last)))
    return Sequence(tuple(rows))


def together(found: Iterable[Sequence]) -> tuple[KeptForgotten, ...] | None:
    """Return what is kept forgotten in all domains, in their order; None where nothing is."""
    return tuple(row for one in found for row in one.kept_forgotten or ()) or None


def of_concepts(found: Sequence, concepts: Collection[str]) -> tuple[KeptForgotten, ...] | None:
    """Return what of it is about ``concepts``; None where nothing is."""
    return tuple(row for row in found.kept_forgotten or () if row.concept in concepts) or None


def _before(concept: str, parent: Parent) -> tuple[InSequence, ...]:
    return tuple(
        InSequence(earlier.generator, then.value, then.low, then.high)
        for earlier in parent.history
        if (then := earlier.unlearning.get(concept)) is not None
    )


PAGE = """
{% if report.kept_forgotten %}
{% call section("sequence", "Kept forgotten") %}
<p class="lead">This generator goes on from another. What that had forgotten was asked for in every batch, and is judged
again: unlearning accuracy, generator by generator.</p>
<div class="scroll">
<table class="figures-table">
  <thead><tr><th scope="col">Concept</th><th scope="col">Generator</th><th scope="col">Unlearning accuracy</th></tr></thead>
  <tbody>
    {% for row in report.kept_forgotten %}{% for then in row.accuracy %}
    <tr{% if not then.generator %} class="total"{% endif %}>
      {% if loop.first %}<th scope="row" rowspan="{{ row.accuracy | length }}">{{ row.concept }}</th>{% endif %}
      <td>{{ then.generator or "this one" }}</td>
      <td><strong>{{ then.value | percent(2) }}</strong>
        <small>{{ then.low | percent(2, "down") }} to {{ then.high | percent(2, "up") }}</small></td></tr>
    {% endfor %}{% endfor %}
  </tbody>
</table>
</div>
{% endcall %}
{% endif %}
"""

SECTION = Section(place=15, part=Sequence, measure=measure, page=PAGE)
