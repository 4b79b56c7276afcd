"""What came back: of a run that forgets again without some concepts, how often each of them is drawn again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfd_core.evaluation.section import Section
from sfd_core.evaluation.sections.retention import RetainedConcept
from sfd_core.evaluation.sections.retention import measure as retention

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence


@dataclass(frozen=True)
class DrawnAgain:
    """The concepts that a generator had forgotten, and that this one was to draw again."""

    generator: str
    """The id of the generator that has forgotten them."""
    concepts: tuple[RetainedConcept, ...]
    """Each of them that a judge looked for, beside the base model's own: as in `retention`."""


@dataclass(frozen=True)
class Undone:
    """The concepts that the run took back, and what came of them."""

    drawn_again: DrawnAgain | None = None
    """The concepts that are forgotten no longer; null where the request took nothing back, or no
    judge looked for it: of what lies in a domain in which nothing is forgotten none does."""


def measure(evidence: Evidence) -> Undone:
    """Pick the rows of what was taken back from those of all that remains."""
    undone = evidence.request.undoes
    if undone is None:
        return Undone()
    rows = tuple(row for row in retention(evidence).retention if row.concept in undone.concepts)
    return Undone(DrawnAgain(undone.generator, rows) if rows else None)


PAGE = """
{% if report.drawn_again %}
{% call section("undone", "Drawn again") %}
<p class="lead">Generator {{ report.drawn_again.generator }} has forgotten what stands here. This one was to draw it
again, so it counts among what remains.</p>
<div class="scroll">
<table class="figures-table">
  <thead><tr><th scope="col">Concept</th><th scope="col">This generator</th><th scope="col">Base model</th></tr></thead>
  <tbody>
    {% for row in report.drawn_again.concepts %}
    <tr><th scope="row">{{ row.concept }}</th>
      <td><strong>{{ row.generator.value | percent }}</strong> <small>{{ row.generator | interval }}</small></td>
      <td>{{ row.base_model.value | percent }} <small>{{ row.base_model | interval }}</small></td></tr>
    {% endfor %}
  </tbody>
</table>
</div>
<p class="note">Share of images in which the judge sees what was asked, with 95% intervals.</p>
{% endcall %}
{% endif %}
"""

SECTION = Section(place=16, part=Undone, measure=measure, page=PAGE)
