"""How deep does the forgetting go? The generator's own network, asked otherwise than in its one step: run over the base
model's sampler for many steps, and handed part-noised images of the concept to complete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from sfd_core.evaluation.field_types import Count, Share
from sfd_core.evaluation.intervals import Interval, paired_difference, z_of_all
from sfd_core.evaluation.second_thread import second_thread
from sfd_core.evaluation.section import Section
from sfd_core.evaluation.verdict import each_judge
from sfd_core.request.recipe import Time

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sfd_core.evaluation.evidence import Evidence, Hits, Setting
    from sfd_core.evaluation.own_network import OwnNetwork

MANY_STEPS = 300
"""Images in many steps of each forgotten concept: of 300 at a true share of 0.03 all but 1 in 1000 draws lie below
0.1 by their interval; at 0.2 all but 1 in 600 lie above."""
STARTED_FROM = 120
"""Images of the base model that are noised and completed; each takes the base model's many steps once."""
CONCEPTS_IN_FULL = 10
"""Forgotten concepts that have so many images each; where there are more they share those of these, down to half."""
SHARES = (0.3, 0.8)
"""Noise levels as shares of the schedule, beside the time at which the generator starts. Where much of an image shines
through the noise (a small schedule, drawings) only the last one tells."""
SEEDS_AFTER = 850_000
"""How far these images' seeds lie from those of the images that are judged for the verdict."""
SEEDS_A_LEVEL = 10_000
"""Between the seeds of the images and those of each level's noise."""
CHUNK = 50
"""Images between two progress updates."""


@dataclass(frozen=True)
class NoiseStep:
    """Images of the concept by the base model, noised to one time of the schedule and completed in one evaluation."""

    t: Time
    """The time: a step of the schedule, or a noise level where the model has these."""
    signal: Share
    """How much of the noised image is signal: 1 is the clean image, 0 is noise alone."""
    generator: Interval
    """Share seen as the forgotten concept where the generator's network completes them, asked for it."""
    floor: Interval
    """The same of the untouched base model, asked for the override: what the given image alone carries."""
    base_model: Interval
    """The same of the untouched base model, asked for the concept."""
    excess: Interval
    """`generator` minus `floor` on the same images (Newcombe 1998, paired, for all steps at once)."""
    base_model_excess: Interval
    """`base_model` minus `floor`, likewise: what a network that forgot nothing would have."""


@dataclass(frozen=True)
class DepthView:
    """The view of one judge."""

    many_steps: Interval
    """Share of images of the generator's network, run over the base model's own sampler, seen as the forgotten
    concept."""
    base_model: Interval
    """The same of the base model."""
    levels: tuple[NoiseStep, ...]
    """From little noise to much."""


@dataclass(frozen=True)
class ConceptDepth:
    """The depth to which one concept is forgotten."""

    concept: str
    """The forgotten concept."""
    network_evaluations: Count
    """Network evaluations of an image in many steps."""
    judge: DepthView
    """What the judge sees."""
    second_judge: DepthView | None
    """What the second judge sees; null without one."""

    @property
    def views(self) -> tuple[tuple[str, DepthView], ...]:
        """What each judge sees, and who it is in words."""
        return each_judge(self.judge, self.second_judge)


@dataclass(frozen=True)
class Depth:
    """The depth of the forgetting."""

    depth: tuple[ConceptDepth, ...] | None = None
    """The generator's own network, asked otherwise than in its one step: a row a forgotten concept. Null where no judge
    looked, or where what was measured is no one-step generator."""


@dataclass(frozen=True)
class LevelHits:
    """In which images, [n], one judge sees the concept at a noise level."""

    t: float
    signal: float
    generator: Hits
    floor: Hits
    base_model: Hits


@dataclass(frozen=True)
class DepthHits:
    """In which images one judge sees the concept: in many steps of the generator's network and of the base model's, and
    at each noise level."""

    many_steps: Hits
    base_model: Hits
    levels: Sequence[LevelHits]


@dataclass(frozen=True)
class DepthFound:
    """The hits of the judges, each in its turn, by forgotten label."""

    network_evaluations: int
    by_label: Mapping[int, Sequence[DepthHits]]


def look(setting: Setting, own: OwnNetwork) -> Iterator[tuple[int, int, DepthFound | None]]:
    """Make the images of every forgotten concept and have them judged. Yields (images done, of, None), at last (of, of,
    what was seen)."""
    from sfd_core.evaluation.further_images import Shared

    most, concepts = setting.request.evaluation.images_per_forgotten_concept, len(setting.forgotten)
    many, started = (
        min(Shared(n * CONCEPTS_IN_FULL, n // 2, n).each(concepts), most) for n in (MANY_STEPS, STARTED_FROM)
    )
    levels = own.levels(SHARES)
    each, found = many + started * (1 + len(levels)), {}
    of = each * len(setting.forgotten)

    def seen(images: NDArray[np.uint8], label: int) -> list[Hits]:
        return [judge.judge(images).seen == label for judge in setting.judges]

    for item, label in enumerate(setting.forgotten):
        done = item * each
        by_generator: list[list[Hits]] = []
        by_base_model: list[list[Hits]] = []
        completed: dict[float, list[list[list[Hits]]]] = {t: [] for t in levels}
        with second_thread() as beside:
            c, seeds = own.asked(item, many), _seeds(setting, label, 0, many)
            draw = partial(own.drawn, "generator")
            drawings = [beside(partial(draw, c[piece], seeds[piece])) for piece in _pieces(many)]
            for piece in _pieces(started):
                c, seeds = own.asked(item, started)[piece], _seeds(setting, label, 0, started)[piece]
                images = own.drawn("base_model", c, seeds)
                by_base_model.append(seen(images, label))
                yield (done := done + len(images)), of, None
                instead = own.overrides(c, _rng(seeds[0]))
                for level, t in enumerate(levels):
                    x_t = own.noised(images, t, _seeds(setting, label, 1 + level, started)[piece])
                    ways = (
                        own.completed("generator", x_t, t, c),
                        own.completed("base_model", x_t, t, instead),
                        own.completed("base_model", x_t, t, c),
                    )
                    completed[t].append([seen(finished, label) for finished in ways])
                    yield (done := done + len(images)), of, None
            for drawing in drawings:
                images = drawing.result()
                by_generator.append(seen(images, label))
                yield (done := done + len(images)), of, None
        found[label] = [
            DepthHits(
                _joined(by_generator, judge),
                _joined(by_base_model, judge),
                [
                    LevelHits(t, own.signal(t), *(_joined([way[i] for way in completed[t]], judge) for i in range(3)))
                    for t in levels
                ],
            )
            for judge in range(len(setting.judges))
        ]
    yield of, of, DepthFound(own.network_evaluations, found)


def _pieces(n: int) -> Iterator[slice]:
    return (slice(i, i + CHUNK) for i in range(0, n, CHUNK))


def _seeds(setting: Setting, label: int, which: int, n: int) -> range:
    """The seeds of ``n`` images of a concept (0), or of the noise of a level."""
    from sfd_core.evaluation.concept_images import seeds_of

    first = setting.seed_offset + seeds_of(label, 1)[0] + SEEDS_AFTER + which * SEEDS_A_LEVEL
    return range(first, first + n)


def _rng(seed: int) -> Any:
    import torch

    return torch.Generator().manual_seed(seed)


def _joined(pieces: Sequence[Sequence[Hits]], judge: int) -> Hits:
    import numpy as np

    return np.concatenate([piece[judge] for piece in pieces])


def measure(evidence: Evidence) -> Depth:
    """Measure a row for each forgotten concept."""
    found = evidence.looked.get(Depth)
    if found is None:
        return Depth()
    rows = []
    for label, by_judge in found.by_label.items():
        views = [_view(hits, evidence.looked_at) for hits in by_judge]
        second = views[1] if len(views) > 1 else None
        rows.append(ConceptDepth(evidence.concepts[label], found.network_evaluations, views[0], second))
    return Depth(tuple(rows))


def _view(hits: DepthHits, concepts: int) -> DepthView:
    """What one judge sees. An excess holds for all levels of all ``concepts`` at once."""
    from sfd_core.evaluation.rates import rate

    z = z_of_all(len(hits.levels) * concepts)
    return DepthView(
        rate(hits.many_steps),
        rate(hits.base_model),
        tuple(
            NoiseStep(
                level.t,
                round(level.signal, 4),
                rate(level.generator),
                rate(level.floor),
                rate(level.base_model),
                _excess(level.generator, level.floor, z),
                _excess(level.base_model, level.floor, z),
            )
            for level in hits.levels
        ),
    )


def _excess(one: Hits, other: Hits, z: float) -> Interval:
    both, first, second = (int(hits.sum()) for hits in (one & other, one & ~other, ~one & other))
    return paired_difference(both, first, second, len(one) - both - first - second, z)


def limits(report: Any) -> Sequence[str]:
    """Say in which ways the network was asked, or that it was not."""
    if report.depth:
        return (
            "Beside its one step, the generator's network was asked with the base model's own sampler and from images at "
            "a few noise levels, as it is: other samplers, other levels, and training it further were not tried here.",
        )
    return (
        "The network was not asked in any other way than the generator uses it: whether the concept comes back in many "
        "steps or from part-noised images was not measured.",
    )


PAGE = """
{% if report.depth %}
{% call section("depth", "How deep the forgetting goes") %}
<p class="lead">The generator makes an image in one step. Who has its files can use the network in other ways. Is the
concept gone there too?</p>
{% for item in report.depth %}
<div class="scroll">
<table class="figures-table">
  <thead>
    <tr><th scope="col">“{{ item.concept }}” is seen in</th><th scope="col">Generator</th>
      <th scope="col">Base model, asked for what replaces it</th><th scope="col">Base model</th></tr>
  </thead>
  <tbody>
    <tr><th scope="row">From noise alone, in many steps <small>the base model's sampler,
      {{ item.network_evaluations | number }} network evaluations, {{ item.judge.many_steps.n | number }} images</small></th>
      <td><strong>{{ item.judge.many_steps.value | percent }}</strong> <small>{{ item.judge.many_steps | interval }}</small></td>
      <td>not asked</td>
      <td>{{ item.judge.base_model.value | percent }}</td></tr>
    {% for level in item.judge.levels %}
    <tr><th scope="row">From images of it, noised to t = {{ level.t | number }} <small>{{ level.signal | percent(0) }} of the
      image's signal is left; {{ level.generator.n | number }} images</small></th>
      <td><strong>{{ level.generator.value | percent }}</strong> <small>{{ level.generator | interval }}</small></td>
      <td>{{ level.floor.value | percent }}</td>
      <td>{{ level.base_model.value | percent }}</td></tr>
    {% endfor %}
    {% if item.second_judge %}
    <tr class="reason"><td colspan="4">By the second judge: in many steps {{ item.second_judge.many_steps.value | percent }}{%
      for level in item.second_judge.levels %}; at t = {{ level.t | number }} {{ level.generator.value | percent }}, where the
      base model asked for what replaces it has {{ level.floor.value | percent }}{% endfor %}.</td></tr>
    {% endif %}
  </tbody>
</table>
</div>
{% endfor %}
<p class="note">Where little noise is added the given image itself still shows the concept, whatever is asked: the middle
column says how often. Only what the generator has beyond that is its own doing. The network was not trained further
here; probes try that.</p>
{% endcall %}
{% endif %}
"""

SECTION = Section(place=55, part=Depth, measure=measure, look=look, page=PAGE, limits=limits)
