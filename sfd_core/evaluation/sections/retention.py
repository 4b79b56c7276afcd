"""Is the rest intact? Of the images asked for each remaining concept, in how many does the judge see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sfd_core.evaluation.accuracy_view import AccuracyView
from sfd_core.evaluation.field_types import Count, Share
from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.section import Section

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence


@dataclass(frozen=True)
class SecondRetention:
    """The second judge's figures for a remaining concept."""

    generator: Interval
    """Share of the generator's images in which the second judge sees what was asked."""
    base_model: Interval
    """The same of the base model."""


@dataclass(frozen=True)
class RetainedConcept:
    """A remaining concept: is it intact?"""

    concept: str
    """A concept that is to remain."""
    n: Count
    """How many images of the generator were judged."""
    generator: Interval
    """Share of the generator's images in which the judge sees what was asked."""
    base_model: Interval
    """The same of the base model: measured once and stored with it, or made in this evaluation where it ships none."""
    judge_on_real: Share | None
    """The judge's accuracy on real images of this concept: no generator can be expected to score much above it. Null
    where it was not tried on any, as CLIP zero-shot."""
    second_judge: SecondRetention | None
    """The same by the second judge; null without one."""


@dataclass(frozen=True)
class RetainedAccuracy:
    """Retained accuracy over all remaining concepts."""

    generator: Interval
    """Retained accuracy over all remaining concepts together."""
    base_model: Interval
    """The same of the base model."""
    drop: Interval
    """Base model minus generator, with Newcombe's interval."""
    second_judge: AccuracyView | None
    """The same by the second judge; null without one."""


@dataclass(frozen=True)
class Retention:
    """Retained accuracy of each remaining concept: is the rest intact?"""

    retention: tuple[RetainedConcept, ...] = ()
    """One row a remaining concept, in the base model's order; for a text-to-image model without a vocabulary, captions
    that were to be kept. Empty where no judge looked."""
    retained_accuracy: RetainedAccuracy | None = None
    """Over all remaining concepts; null where no judge looked."""


def measure(evidence: Evidence) -> Retention:
    """Measure a row for each remaining concept, and all of them together."""
    kept = evidence.kept
    first, *others = _of_judges(evidence)
    together = RetainedAccuracy(first.generator, first.base_model, first.drop, others[0] if others else None)
    return Retention(tuple(_row(label, evidence) for label in kept), together)


def _of_judges(evidence: Evidence) -> list[AccuracyView]:
    """Retained accuracy by each judge."""
    kept = evidence.kept
    return [
        AccuracyView.of(view.right(kept), base_model)
        for view in evidence.views
        if (base_model := view.base_model_right(kept)) is not None
    ]


def _row(label: int, evidence: Evidence) -> RetainedConcept:
    from sfd_core.evaluation.rates import rate

    images, model = evidence.judgements.by_label[label], evidence.evaluators.model
    base_model = evidence.reference.base_model.only([label])
    second = None
    if images.second is not None and base_model.second_seen is not None:
        second = SecondRetention(rate(images.second.seen == label), rate(base_model.second_seen == label))
    return RetainedConcept(
        evidence.concepts[label],
        len(images.seen),
        rate(images.seen == label),
        rate(base_model.seen == label),
        model.judge.accuracy_on(label) if model.judge is not None else None,
        second,
    )


def limits(report: Any) -> Sequence[str]:
    """Say that no accuracy is corrected by what the judge confuses on real images, and why."""
    if not report.retained_accuracy:
        return ()
    return (
        "Accuracies are what a judge sees, errors and all. What it confuses on real images is not subtracted: on "
        "generated images it may err otherwise, and otherwise on the base model's than on the generator's, so a drop may "
        "be larger than stated.",
    )


PAGE = """
{% if report.retention %}
{% call section("remaining", "What remains") %}
<div class="scroll">
<table class="figures-table">
  <thead>
    <tr><th scope="col">Concept</th><th scope="col">Generator</th><th scope="col">Base model</th>
      <th scope="col">Drop, points</th><th scope="col">Judge on real</th></tr>
  </thead>
  <tbody>
    {% if report.retained_accuracy %}
    {% set kept = report.retained_accuracy %}
    <tr class="total"><th scope="row">All that remain</th>
      <td><strong>{{ kept.generator.value | percent }}</strong> <small>{{ kept.generator | interval }}</small></td>
      <td><strong>{{ kept.base_model.value | percent }}</strong> <small>{{ kept.base_model | interval }}</small></td>
      <td class="drop"><strong>{{ kept.drop.value | points }}</strong>
        <small>{{ kept.drop.low | points }} to {{ kept.drop.high | points }}</small></td>
      <td>{{ (report.judge or {}).accuracy | percent }}</td></tr>
    {% if kept.second_judge %}
    <tr><th scope="row">The same by the second judge</th>
      <td>{{ kept.second_judge.generator.value | percent }} <small>{{ kept.second_judge.generator | interval }}</small></td>
      <td>{{ kept.second_judge.base_model.value | percent }} <small>{{ kept.second_judge.base_model | interval }}</small></td>
      <td class="drop">{{ kept.second_judge.drop.value | points }}
        <small>{{ kept.second_judge.drop.low | points }} to {{ kept.second_judge.drop.high | points }}</small></td>
      <td>{{ (report.second_judge or {}).accuracy | percent }}</td></tr>
    {% endif %}
    {% endif %}
    {% for row in report.retention %}
    {% set apart = row.base_model.low > row.generator.high %}
    <tr><th scope="row">{{ row.concept }}</th>
      <td><strong>{{ row.generator.value | percent }}</strong> <small>{{ row.generator | interval }}</small></td>
      <td>{{ row.base_model.value | percent }} <small>{{ row.base_model | interval }}</small></td>
      <td{% if apart %} class="apart"{% endif %}>{{ (row.base_model.value - row.generator.value) | points }}{{ " ▼" if apart }}</td>
      <td>{{ row.judge_on_real | percent }}</td></tr>
    {% endfor %}
  </tbody>
</table>
</div>
<p class="note">Share of images in which the judge sees what was asked, with 95% intervals.
{{ report.retention[0].n | number }} images a concept. ▼: the two intervals do not touch, so that concept suffered.
The last column is the judge's own accuracy on real images: no generator can be expected to score much above it.</p>
{% endcall %}
{% endif %}
"""

TILES = """
{% if report.retained_accuracy %}
{% set kept = report.retained_accuracy %}
<div class="tile">
  <p class="label">Other concepts shown as asked</p>
  <p class="figures">
    <span class="was">{{ kept.base_model.value | percent }}</span> <span aria-label="to">→</span>
    <strong>{{ kept.generator.value | percent }}</strong>
  </p>
  <small>{{ kept.generator.n | number }} images; at least {{ kept.generator.low | percent(1, "down") }}</small>
</div>
{% endif %}
"""

SECTION = Section(place=20, part=Retention, measure=measure, page=PAGE, tiles=TILES, limits=limits)
