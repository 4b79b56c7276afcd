"""Both confusion matrices, the base model's and the generator's, as shares and as tables with a heat for each cell."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sfd_core.display.numbers import MISSING, points
from sfd_core.evaluation.field_types import Share
from sfd_core.evaluation.section import Section

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence

MAX_MATRIX = 20
"""Rows of a confusion matrix that a page can show; of more concepts it shows those that changed most."""
Matrix = tuple[tuple[Share, ...], ...]


@dataclass(frozen=True)
class ConfusionMatrices:
    """Two matrices of what the judge sees for each concept that is asked for. Row: what was asked for. Column: what the
    judge sees."""

    concepts: tuple[str, ...]
    """The order of rows and columns: the labels in `scores.safetensors`."""
    generator: Matrix
    """Shares of each row; it adds up to 1, less where images were refused."""
    base_model: Matrix
    """The same of the base model."""


@dataclass(frozen=True)
class Confusion:
    """The judge's view, concept by concept."""

    confusion: ConfusionMatrices | None = None
    """What the judge sees for each concept that is asked for; null where no judge looked."""


def measure(evidence: Evidence) -> Confusion:
    """Measure a row for each concept, of both."""
    from sfd_core.evaluation.rates import shares

    concepts, by_label, base_model = evidence.concepts, evidence.judgements.by_label, evidence.reference.base_model
    labels, n = range(len(concepts)), len(concepts)
    return Confusion(
        ConfusionMatrices(
            concepts,
            tuple(shares(by_label[label].seen, n) for label in labels),
            tuple(shares(base_model.only([label]).seen, n) for label in labels),
        )
    )


def base_model_shows(report: Any, concept: str) -> float | None:
    """Return the share of the base model's images asked for ``concept`` in which the judge sees it; None where no judge
    looked."""
    found: ConfusionMatrices | None = report.confusion
    if found is None or concept not in found.concepts:
        return None
    i = found.concepts.index(concept)
    return _shares(found.base_model)[i][i]


def helpers(report: Any) -> Mapping[str, Any]:
    """Return ``matrices``: both as shares of each row, of at most :data:`MAX_MATRIX` concepts: what was forgotten and
    its overrides, then what changed most."""
    found: ConfusionMatrices | None = report.confusion
    if found is None:
        return {"matrices": None}
    concepts = found.concepts
    base_model, generator = _shares(found.base_model), _shares(found.generator)
    named = {row.concept for row in report.unlearning}
    overrides = {row.override for row in report.unlearning if isinstance(row.override, str)}

    def importance(i: int) -> tuple[bool, bool, float]:
        change = abs((base_model[i][i] or 0.0) - (generator[i][i] or 0.0))
        return concepts[i] in named, concepts[i] in overrides, change

    shown = sorted(sorted(range(len(concepts)), key=importance, reverse=True)[:MAX_MATRIX])

    def table(matrix: Sequence[Sequence[float | None]]) -> list[list[dict[str, Any]]]:
        return [[_cell(matrix[i][j], i == j) for j in shown] for i in shown]

    matrices = {
        "concepts": [concepts[i] for i in shown],
        "of": len(concepts),
        "forgotten": named,
        "tables": (("Base model", table(base_model)), ("Generator", table(generator))),
    }
    return {"matrices": matrices}


def _shares(matrix: Sequence[Sequence[float]]) -> list[list[float | None]]:
    """Each row divided by its sum; None in a row without an image."""
    return [[cell / total if (total := sum(row)) else None for cell in row] for row in matrix]


def _cell(share: float | None, diagonal: bool) -> dict[str, Any]:
    """A cell's text (whole per cent; nothing below half of one) and its heat in eleven steps, as a class."""
    if share is None:
        return {"text": MISSING, "heat": "heat-0", "diagonal": diagonal}
    text = points(share, 0) if share >= 0.005 else ""
    return {"text": text, "heat": f"heat-{math.ceil(share * 10 - 1e-9) if text else 0}", "diagonal": diagonal}


PAGE = """
{% if matrices %}
{% call section("matrices", "What the judge sees, concept by concept") %}
<div class="matrices">
  {% for title, rows in matrices.tables %}
  <div class="scroll">
  <table class="matrix{{ " many" if matrices.concepts | length > 12 }}">
    <caption>{{ title }}</caption>
    <thead>
      <tr><th scope="col"><small>asked ↓<br>judged →</small></th>
        {% for concept in matrices.concepts %}
        <th scope="col"><span>{{ concept }}</span></th>
        {% endfor %}</tr>
    </thead>
    <tbody>
      {% for row in rows %}
      {% set concept = matrices.concepts[loop.index0] %}
      <tr{% if concept in matrices.forgotten %} class="gone"{% endif %}><th scope="row">{{ concept }}</th>
        {% for cell in row %}
        <td class="{{ cell.heat }}{{ " same" if cell.diagonal }}">{{ cell.text }}</td>
        {% endfor %}</tr>
      {% endfor %}
    </tbody>
  </table>
  </div>
  {% endfor %}
</div>
<p class="note">Each row: of 100 images asked for the concept on the left, how many the judge sees as the one above.
Blue: as asked. Orange: as something else, which for a forgotten concept (red) is what was wanted. Empty: fewer than
one in 200.
{% if matrices.of > matrices.concepts | length %}
Shown are {{ matrices.concepts | length | number }} of {{ matrices.of | number }} concepts, those that changed most; the report's JSON
has all.
{% endif %}</p>
{% endcall %}
{% endif %}
"""

SECTION = Section(place=70, part=Confusion, measure=measure, page=PAGE, helpers=helpers)
