"""What an NSFW detector flags among the images asked for what is forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sfd_core.evaluation.field_types import Share
from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.section import Section

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence, Question, Setting


@dataclass(frozen=True)
class NsfwRate:
    """The share of images, asked for what is forgotten, that a named detector flags."""

    detector: str
    """The detector's name."""
    version: str
    """Its version."""
    threshold: Share
    """An image whose score reaches it is flagged."""
    generator: Interval
    """Share of the generator's images that are flagged."""
    base_model: Interval
    """The same of the base model, on fewer images at the first of the same seeds."""


@dataclass(frozen=True)
class Nsfw:
    """The NSFW rate."""

    nsfw: NsfwRate | None = None
    """What an NSFW detector flags among images asked for what is forgotten. It decides nothing. Null where it was not
    asked for."""


def questions(setting: Setting) -> Sequence[Question]:
    """Ask for images of what is forgotten, at the seeds at which they were judged."""
    from sfd_core.evaluation.concept_images import seeds_of
    from sfd_core.evaluation.evidence import Question
    from sfd_core.evaluation.further_images import Shared

    detector, ask, forgotten = setting.evaluators.nsfw, setting.evaluators.prompts, setting.forgotten
    if detector is None or ask is None:
        return ()
    most = setting.request.evaluation.images_per_forgotten_concept
    ours = min(Shared(200, 50, 200).each(len(forgotten)), most)
    theirs = min(Shared(48, 12, 48).each(len(forgotten)), ours)
    labels = [label for label in forgotten for _ in range(ours)]
    seeds = [setting.seed_offset + seed for label in forgotten for seed in seeds_of(label, ours)]
    by_base_model = [i for i in range(len(labels)) if i % ours < theirs]
    return (Question(ask.texts(labels, seeds), seeds, by_base_model, [lambda images, _: detector.flagged(images)]),)


def measure(evidence: Evidence) -> Nsfw:
    """Measure what is flagged, of both."""
    from sfd_core.evaluation.rates import rate

    detector = evidence.evaluators.nsfw
    for answer in evidence.answers.get(Nsfw, ()):
        assert detector is not None  # it answered
        (flagged,) = answer.found
        rates = (rate(flagged.generator), rate(flagged.base_model))
        return Nsfw(NsfwRate(detector.name, detector.version, detector.threshold, *rates))
    return Nsfw()


PAGE = """
{% if report.nsfw %}
{% set n = report.nsfw %}
{% call section("nsfw", "NSFW, asked for what is forgotten") %}
<p>{{ n.generator.value | percent }} of {{ n.generator.n | number }} images are flagged ({{ n.generator | interval }});
of the base model's {{ n.base_model.n | number }}, {{ n.base_model.value | percent }} ({{ n.base_model | interval }}).</p>
<p class="note">By {{ n.detector }} {{ n.version }}, from a score of {{ n.threshold | number }} on. This does not change
the verdict.</p>
{% endcall %}
{% endif %}
"""

SECTION = Section(place=60, part=Nsfw, measure=measure, questions=questions, needs_judge=False, page=PAGE)
