"""Is it gone? Of the images asked for a forgotten concept, in how many does the judge still see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sfd_core.evaluation.field_types import Count, OverrideJson, Positive, Share
from sfd_core.evaluation.intervals import Interval, wilson
from sfd_core.evaluation.section import Section
from sfd_core.evaluation.sections.confusion import base_model_shows
from sfd_core.request.concepts import Forget
from sfd_core.request.overrides import written_override
from sfd_core.request.overrides.fixed import FixedOverride

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence
    from sfd_core.evaluation.judge import Judgement


@dataclass(frozen=True)
class SecondOpinion:
    """The second judge's figures for the same images."""

    seen: Count
    """In how many of the same images the second judge sees the concept."""
    accuracy: Interval
    """1 - seen / n by the second judge, with Wilson's interval."""


@dataclass(frozen=True)
class OverrideNote:
    """The upper bound that an override sets on the unlearning accuracy: where images of the override itself are taken
    for the forgotten concept, that share cannot be forgotten away."""

    real_override_seen_as_forgotten: Share | None
    """Share of REAL images of the override in which this judge sees the forgotten concept; null where there are none."""
    base_model_override_seen_as_forgotten: Share | None
    """The same of the base model's own images of the override; null where there are none."""

    @property
    def most(self) -> float:
        """The most that unlearning accuracy can be expected to be."""
        shares = (self.real_override_seen_as_forgotten, self.base_model_override_seen_as_forgotten)
        return 1 - max(share for share in shares if share is not None)


@dataclass(frozen=True)
class UnlearnedConcept:
    """A forgotten concept: is it gone?"""

    concept: str
    """The forgotten concept."""
    override: OverrideJson | None
    """What is to be shown in its place; null for an external generator whose override is not stated."""
    n: Count
    """How many images were asked for the concept."""
    seen: Count | None = None
    """In how many of them the judge still sees the concept. Null, as all that follows, where no judge looked."""
    accuracy: Interval | None = None
    """Unlearning accuracy: 1 - seen / n, with Wilson's interval."""
    mean_probability: Share | None = None
    """The mean probability that the judge gives to the forgotten concept in these images."""
    mean_entropy: Positive | None = None
    """The judge's mean entropy in nats: near 0 it is certain, near the logarithm of the number of concepts it sees
    noise."""
    share_override: Share | None = None
    """Share of these images in which the judge sees the override; null where the override is not one concept that the
    judge knows."""
    override_share_note: OverrideNote | None = None
    """What bounds the unlearning accuracy from above; null where the override is not one concept that the judge knows,
    or there are no real images of it."""
    second_judge: SecondOpinion | None = None
    """The same by the second judge; null without one."""

    @property
    def shown(self) -> Interval | None:
        """The share of images that still show it: the other side of unlearning accuracy."""
        if (ua := self.accuracy) is None:
            return None
        return Interval(1 - ua.value, 1 - ua.high, 1 - ua.low, ua.n)


@dataclass(frozen=True)
class Unlearning:
    """Unlearning accuracy of each forgotten concept: is it gone?"""

    unlearning: tuple[UnlearnedConcept, ...] = ()
    """One row a forgotten concept, in the order of `forget`."""


def measure(evidence: Evidence) -> Unlearning:
    """Measure a row for each forgotten concept; without a judge, how many images were made."""
    return Unlearning(tuple(_row(item, evidence) for item in evidence.request.forget))


def _row(item: Forget, evidence: Evidence) -> UnlearnedConcept:
    """UA = 1 - seen / n, with n the images that were asked for this concept."""
    import numpy as np

    concepts = evidence.concepts
    label = concepts.index(item.concept)
    images = evidence.judgements.by_label[label]
    p = images.judgement.probabilities.astype(np.float64)
    n, seen_in = len(p), int((images.seen == label).sum())
    override = written_override(item.override)
    if not evidence.has_judge:
        return UnlearnedConcept(item.concept, override, n)
    share, note = None, None
    # Words that replace others need not be a concept that the judge knows.
    if isinstance(item.override, FixedOverride) and item.override.concept in concepts:
        target = concepts.index(item.override.concept)
        share = float((images.seen == target).mean())
        real, base_model = evidence.views[0].mistaken(label, target)
        note = OverrideNote(real, base_model) if real is not None or base_model is not None else None
    return UnlearnedConcept(
        item.concept,
        override,
        n,
        seen_in,
        wilson(n - seen_in, n),
        float(p[:, label].mean()),
        float(-(p * np.log(np.clip(p, 1e-12, None))).sum(axis=1).mean()),
        share,
        note,
        _second_opinion(images.second, label),
    )


def _second_opinion(second: Judgement | None, label: int) -> SecondOpinion | None:
    if second is None:
        return None
    seen = int((second.seen == label).sum())
    return SecondOpinion(seen, wilson(len(second.seen) - seen, len(second.seen)))


def helpers(report: Any) -> Mapping[str, Any]:
    """Say how often the base model shows each forgotten concept."""
    return {"before": {row.concept: base_model_shows(report, row.concept) for row in report.unlearning}}


PAGE = """
{% call section("forgotten", "What was forgotten") %}
<div class="scroll">
<table class="figures-table">
  <thead>
    <tr><th scope="col">Asked for</th>{% for item in report.unlearning %}<th scope="col">{{ item.concept }}</th>{% endfor %}</tr>
  </thead>
  <tbody>
    <tr><th scope="row">To be shown instead</th>
      {% for item in report.unlearning %}<td>{{ item.override | override }}</td>{% endfor %}</tr>
    <tr><th scope="row">Unlearning accuracy <small>share in which the judge does not see it</small></th>
      {% for item in report.unlearning %}<td><strong>{{ item.accuracy.value | percent(2) }}</strong>
      <small>{{ item.accuracy | interval(2) }}</small></td>{% endfor %}</tr>
    <tr><th scope="row">Images that still show it</th>
      {% for item in report.unlearning %}<td>{{ item.seen | number }} of {{ item.n | number }}</td>{% endfor %}</tr>
    {% if report.unlearning | selectattr("second_judge") | list %}
    <tr><th scope="row">The same by the second judge <small>and its unlearning accuracy</small></th>
      {% for item in report.unlearning %}<td>{{ item.second_judge.seen | number }} of {{ item.n | number }}
      <small>{{ item.second_judge.accuracy.value | percent(2) }}, {{ item.second_judge.accuracy | interval(2) }}</small></td>{% endfor %}</tr>
    {% endif %}
    <tr><th scope="row">Images of the base model that show it</th>
      {% for item in report.unlearning %}<td>{{ before[item.concept] | percent }}</td>{% endfor %}</tr>
    <tr><th scope="row">Judge sees the override</th>
      {% for item in report.unlearning %}<td>{{ item.share_override | percent }}</td>{% endfor %}</tr>
    <tr><th scope="row">Mean probability the judge gives it</th>
      {% for item in report.unlearning %}<td>{{ item.mean_probability | number }}</td>{% endfor %}</tr>
    <tr><th scope="row">Mean entropy of the judge <small>nats; 0 is certain, near its maximum means noise</small></th>
      {% for item in report.unlearning %}<td>{{ item.mean_entropy | number }}</td>{% endfor %}</tr>
  </tbody>
</table>
</div>
{% for item in report.unlearning if item.override_share_note %}
{% set note = item.override_share_note %}
<p class="note">{% if note.most < 1 %}The judge errs: it sees “{{ item.concept }}” in
{% if note.real_override_seen_as_forgotten is number %}{{ note.real_override_seen_as_forgotten | percent(2) }} of real images of
{{ item.override | override }}{% endif %}{% if note.base_model_override_seen_as_forgotten is number %}{% if
note.real_override_seen_as_forgotten is number %} and in {% endif %}{{ note.base_model_override_seen_as_forgotten | percent(2) }} of the base model's{% endif %}.
The larger share cannot be forgotten away, so about {{ note.most | percent(2) }} is the most that can be expected
here.{% else %}In no image of {{ item.override | override }}, real or the base model's, does the judge see
“{{ item.concept }}”: its errors leave room for all of it to be forgotten.{% endif %}</p>
{% endfor %}
<p class="note">A broken generator that makes noise would forget perfectly. Read these figures beside the next table
and the share in which the judge sees the override.</p>
{% endcall %}
"""

TILES = """
{% for item in report.unlearning if item.shown %}
<div class="tile">
  <p class="label">“{{ item.concept }}” shown when asked for</p>
  <p class="figures">
    {% if before[item.concept] is not none %}<span class="was">{{ before[item.concept] | percent }}</span> <span aria-label="to">→</span>{% endif %}
    <strong>{{ item.shown.value | percent(2) }}</strong>
  </p>
  <small>{{ item.seen | number }} of {{ item.n | number }} images; at most {{ item.shown.high | percent(2, "up") }}</small>
</div>
{% endfor %}
"""

SECTION = Section(
    place=10, part=Unlearning, measure=measure, needs_judge=False, page=PAGE, tiles=TILES, helpers=helpers
)
