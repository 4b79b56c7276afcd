"""Where two independent judges disagree. A rate that only one of them sees says something of that judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfd_core.display.numbers import number, percent
from sfd_core.evaluation.field_types import Count, Share
from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.section import Section

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence, Hits
    from sfd_core.evaluation.reference import ReferenceSet


@dataclass(frozen=True)
class ConceptAgreement:
    """Agreement of the judges in the images asked for one concept."""

    concept: str
    """The concept that was asked for."""
    generator: Share
    """Share of agreement in the generator's images."""
    base_model: Share
    """Share of agreement in the base model's images."""
    real: Share | None
    """Share of agreement in real images; null where there are none."""


@dataclass(frozen=True)
class ForgottenAgreement:
    """The judges' answers on a forgotten concept: which of the two still see it."""

    concept: str
    """The forgotten concept."""
    n: Count
    """Images asked for it."""
    only_first: Count
    """Images in which only the first judge still sees it."""
    only_second: Count
    """Images in which only the second judge still sees it."""
    both: Count
    """Images in which both still see it."""


@dataclass(frozen=True)
class JudgeAgreement:
    """The agreement of the two judges: where they agree and where not."""

    generator: Interval
    """Share of the generator's images in which both judges see the same concept."""
    base_model: Interval
    """The same in the base model's images."""
    real: Interval | None
    """The same in real images: how often the two agree where nothing was generated. Null where there are none."""
    by_concept: tuple[ConceptAgreement, ...]
    """One row a concept."""
    forgotten: tuple[ForgottenAgreement, ...]
    """One row a forgotten concept."""
    statement: str
    """What the two judges disagree about, in plain sentences."""


@dataclass(frozen=True)
class Agreement:
    """The agreement of the judges."""

    agreement: JudgeAgreement | None = None
    """Where the two judges agree and where not; null without a second judge."""


def measure(evidence: Evidence) -> Agreement:
    """Measure how often both judges see the same concept: in the generator's images, the base model's and real ones;
    for each forgotten concept how many images only one of them, or both, say still show it."""
    import numpy as np

    from sfd_core.evaluation.rates import rate

    by_label, reference, concepts = evidence.judgements.by_label, evidence.reference, evidence.concepts
    if reference.real.second_seen is None or any(images.second is None for images in by_label.values()):
        return Agreement()
    labels = sorted(by_label)
    first = {label: by_label[label].seen for label in labels}
    second = {label: judged.seen for label in labels if (judged := by_label[label].second) is not None}
    generator = rate(np.concatenate([first[label] == second[label] for label in labels]))
    base_model = rate(_same(reference.base_model))
    real = rate(_same(reference.real)) if len(reference.real.labels) else None
    forgotten = tuple(
        ForgottenAgreement(
            concepts[label],
            len(first[label]),
            int(((first[label] == label) & (second[label] != label)).sum()),
            int(((first[label] != label) & (second[label] == label)).sum()),
            int(((first[label] == label) & (second[label] == label)).sum()),
        )
        for label in evidence.forgotten
    )
    by_concept = tuple(
        ConceptAgreement(
            concepts[label],
            float((first[label] == second[label]).mean()),
            float(_same(reference.base_model.only([label])).mean()),
            float(_same(reference.real.only([label])).mean()) if real is not None else None,
        )
        for label in labels
    )
    said = _statement(generator.value, real.value if real is not None else None, forgotten)
    return Agreement(JudgeAgreement(generator, base_model, real, by_concept, forgotten, said))


def _same(part: ReferenceSet) -> Hits:
    assert part.second_seen is not None
    same: Hits = part.seen == part.second_seen
    return same


def _statement(generator: float, real: float | None, forgotten: Sequence[ForgottenAgreement]) -> str:
    said = [
        f"Of {number(row.n)} images asked for {row.concept}, the judge still sees it in "
        f"{number(row.only_first + row.both)}, the second judge in {number(row.only_second + row.both)}, both in "
        f"{number(row.both)}."
        for row in forgotten
    ]
    of_real = f" and {percent(real)} of real ones" if real is not None else ""
    said.append(f"The two see the same concept in {percent(generator)} of the generator's images{of_real}.")
    return " ".join(said)


PAGE = """
{% if report.agreement %}
{% set a = report.agreement %}
{% call section("judges", "Where the two judges disagree") %}
<p class="lead">{{ a.statement }}</p>
<div class="scroll">
<table class="figures-table">
  <thead>
    <tr><th scope="col">Both judges see the same in</th><th scope="col">Generator</th><th scope="col">Base model</th>
      <th scope="col">Real images</th></tr>
  </thead>
  <tbody>
    <tr class="total"><th scope="row">All concepts</th>
      {% for part in (a.generator, a.base_model, a.real) %}
      <td>{% if part %}<strong>{{ part.value | percent }}</strong> <small>{{ part | interval }}</small>{% else %}–{% endif %}</td>
      {% endfor %}</tr>
    {% for row in a.by_concept %}
    <tr><th scope="row">{{ row.concept }}</th><td>{{ row.generator | percent }}</td><td>{{ row.base_model | percent }}</td>
      <td>{{ row.real | percent }}</td></tr>
    {% endfor %}
  </tbody>
</table>
</div>
<table class="figures-table narrow">
  <thead>
    <tr><th scope="col">Concept still seen by</th><th scope="col">both judges</th><th scope="col">first judge only</th>
      <th scope="col">second judge only</th></tr>
  </thead>
  <tbody>
    {% for row in a.forgotten %}
    <tr><th scope="row">{{ row.concept }} <small>of {{ row.n | number }} images</small></th>
      <td>{{ row.both | number }}</td><td>{{ row.only_first | number }}</td><td>{{ row.only_second | number }}</td></tr>
    {% endfor %}
  </tbody>
</table>
<p class="note">The first judge is {{ report.judge.name }}, the second {{ report.second_judge.name }}, of another
architecture and trained apart{% if report.second_judge.accuracy is number %}; the second is right in
{{ report.second_judge.accuracy | percent }} of {{ report.second_judge.accuracy_images | number }} real images{% endif %}.
Each must pass. Where they agree less on the generator's images than on real ones, what one judge says of it
means less.</p>
{% endcall %}
{% endif %}
"""

SECTION = Section(place=80, part=Agreement, measure=measure, page=PAGE)
