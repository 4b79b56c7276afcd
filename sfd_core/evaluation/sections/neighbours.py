"""The concepts nearest to a forgotten one: erasing one must not erase another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Le

from sfd_core.evaluation.intervals import Interval, difference
from sfd_core.evaluation.section import Section

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sfd_core.evaluation.evidence import Evidence
    from sfd_core.evaluation.rates import Labels
    from sfd_core.evaluation.reference import ReferenceSet

NEAREST = 3


@dataclass(frozen=True)
class Neighbour:
    """One of the three remaining concepts nearest to a forgotten one, nearest first."""

    forgotten: str
    """The forgotten concept whose neighbour this is."""
    concept: str
    """The remaining concept."""
    confusion: Annotated[float, Ge(0), Le(2)]
    """Share of the base model's images of one that the judge takes for the other, both ways added."""
    generator: Interval
    """Retained accuracy of the neighbour after unlearning."""
    base_model: Interval
    """Its retained accuracy before."""
    drop: Interval
    """Base model minus generator, with Newcombe's interval."""


@dataclass(frozen=True)
class Neighbours:
    """The concepts that lie nearest to what was forgotten."""

    neighbours: tuple[Neighbour, ...] = ()
    """The three nearest remaining concepts of each forgotten one: erasing one must not erase another."""


def nearest(base_model: ReferenceSet, forgotten: int, remaining: Sequence[int]) -> list[tuple[int, float]]:
    """Find the remaining concepts nearest to ``forgotten``, with how much the judge mixes the two up in the base
    model's images: the share of one seen as the other, both ways added. Where nothing is mixed up (or the same share
    is), the distance between the mean features decides."""
    return _nearest({label: _Looks.of(base_model, label) for label in (forgotten, *remaining)}, forgotten, remaining)


@dataclass(frozen=True)
class _Looks:
    """The look of the base model's images of one concept: what is ``seen`` in them, [n], and their mean features, [F]."""

    seen: Labels
    centre: NDArray[np.float32]

    @classmethod
    def of(cls, base_model: ReferenceSet, label: int) -> _Looks:
        part = base_model.only([label])
        return cls(part.seen, part.features.mean(axis=0))


def _nearest(looks: Mapping[int, _Looks], forgotten: int, remaining: Sequence[int]) -> list[tuple[int, float]]:
    import numpy as np

    own = looks[forgotten]

    def mixed(label: int) -> float:
        return float((own.seen == label).mean() + (looks[label].seen == forgotten).mean())

    def distance(label: int) -> float:
        return float(np.linalg.norm(looks[label].centre - own.centre))

    ordered = sorted(remaining, key=lambda label: (-mixed(label), distance(label)))
    return [(label, mixed(label)) for label in ordered[:NEAREST]]


def measure(evidence: Evidence) -> Neighbours:
    """Find each forgotten concept's three nearest, and how their retained accuracy fell."""
    from sfd_core.evaluation.rates import rate

    concepts, base_model = evidence.concepts, evidence.reference.base_model
    # Each concept's images are looked up once: of many forgotten ones each is compared with all that remain.
    looks = {label: _Looks.of(base_model, label) for label in (*evidence.forgotten, *evidence.kept)}
    rows = []
    for label in evidence.forgotten:
        for other, confusion in _nearest(looks, label, evidence.kept):
            after = rate(evidence.judgements.by_label[other].seen == other)
            before = rate(looks[other].seen == other)
            drop = difference(before, after)
            rows.append(Neighbour(concepts[label], concepts[other], confusion, after, before, drop))
    return Neighbours(tuple(rows))


PAGE = """
{% if report.neighbours %}
{% call section("neighbours", "Nearest to what was forgotten") %}
<p class="lead">Forgetting one concept must not take its neighbours with it. Nearest are those that the judge mixes up
with it most in the base model's images.</p>
<div class="scroll">
<table class="figures-table">
  <thead>
    <tr><th scope="col">Neighbour</th><th scope="col">Mixed up in</th><th scope="col">Base model</th>
      <th scope="col">Generator</th><th scope="col">Drop, points</th></tr>
  </thead>
  <tbody>
    {% for row in report.neighbours %}
    {% if report.unlearning | length > 1 and (loop.first or row.forgotten != loop.previtem.forgotten) %}
    <tr class="total"><th scope="rowgroup" colspan="5">of “{{ row.forgotten }}”</th></tr>
    {% endif %}
    {% set apart = row.drop.low > 0 %}
    <tr><th scope="row">{{ row.concept }}</th>
      <td>{{ row.confusion | percent }}</td>
      <td>{{ row.base_model.value | percent }} <small>{{ row.base_model | interval }}</small></td>
      <td><strong>{{ row.generator.value | percent }}</strong> <small>{{ row.generator | interval }}</small></td>
      <td class="drop{{ " apart" if apart }}">{{ row.drop.value | points }}{{ " ▼" if apart }}
        <small>{{ row.drop.low | points }} to {{ row.drop.high | points }}</small></td></tr>
    {% endfor %}
  </tbody>
</table>
</div>
<p class="note">Mixed up: share of one seen as the other, both ways added. ▼: the whole interval of the drop lies above
0, so that neighbour lost something. A drop below 0 is a gain.</p>
{% endcall %}
{% endif %}
"""

SECTION = Section(place=30, part=Neighbours, measure=measure, page=PAGE)
