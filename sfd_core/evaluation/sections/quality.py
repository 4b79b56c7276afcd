"""How good the remaining concepts look: distances to real images and to the base model's own, forgotten concepts left
out on both sides. Each figure is named after its features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge

from sfd_core.evaluation.field_types import Count, Positive, Share
from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.section import Section

if TYPE_CHECKING:
    from sfd_core.evaluation.evidence import Evidence
    from sfd_core.evaluation.metrics import Features

NEIGHBOURS = 3
"""k of precision and recall."""


@dataclass(frozen=True)
class Distance:
    """The distance of the generator's images of the remaining concepts from one reference, on one network's
    features."""

    fd: Interval | None
    """Fréchet distance between the generator's images and the reference, with a delete-a-group jackknife interval over
    the generator's images (20 groups). Lower is better. A distance is biased upwards by few images and the interval
    does not remove that: read it beside the floor. Null where the images are too few for it."""
    fd_floor: Positive | None
    """The floor: Fréchet distance between two halves of the reference; nothing can be expected below it. Null where no
    distance is printed."""
    fd_base_model: Positive | None
    """Fréchet distance between the base model's images and the same reference. Null where the reference is the base
    model itself, or no distance is printed."""
    kid: float
    """Kernel distance: mean squared maximum mean discrepancy (third-degree polynomial kernel) over subsets. Unbiased,
    so it may be a little below 0."""
    kid_std: Positive
    """Its standard deviation over the subsets."""
    kid_floor: float
    """The kernel distance between two halves of the reference."""
    precision: Share | None
    """Share of the generator's images that lie inside the reference's manifold (k = 3 nearest neighbours): do they look
    right? Null where there are no more than k images."""
    recall: Share | None
    """Share of the reference that lies inside the manifold of the generator's images: is the variety kept? Null where
    there are no more than k images."""
    precision_base_model: Share | None
    """The same of the base model's images; null where the reference is the base model itself."""
    recall_base_model: Share | None
    """The same of the base model's images; null where the reference is the base model itself."""


@dataclass(frozen=True)
class FeatureQuality:
    """Distances, precision and recall on one network's features, over remaining concepts alone."""

    features: str
    """The network whose features the distances are measured on, and how many features it has."""
    fd_name: str
    """What the Fréchet distance on these features is called. FID only on the standard Inception-v3 weights and 2048
    features."""
    n: Count
    """Images of the generator, remaining concepts only."""
    images_needed: Annotated[int, Ge(1)]
    """Fewest images of which a Fréchet distance on these features is printed."""
    against_real: Distance | None
    """Against real images; null where no features of real images are at hand."""
    against_base_model: Distance
    """Against the base model's own images."""


@dataclass(frozen=True)
class Quality:
    """Image quality of what remains."""

    quality: tuple[FeatureQuality, ...] = ()
    """One row for each network whose features were used."""


def measure(evidence: Evidence) -> Quality:
    """Measure on the judge's features first, then on every extractor's that has a reference."""
    from sfd_core.evaluation.features import fd_name

    evaluators, kept = evidence.evaluators, evidence.kept
    rows = []
    if evidence.has_judge:
        samples = evidence.judgements.features(kept)
        name = f"judge-{samples.shape[1]}"
        real, base_model = (
            part.only(kept).features for part in (evidence.reference.real, evidence.reference.base_model)
        )
        rows.append(quality(name, fd_name(name), samples, real, base_model))
    for extractor in evaluators.extractors:
        if (known := evaluators.references.get(extractor.name)) is None:
            continue
        part, samples = known.only(kept), evidence.judgements.features(kept, extractor.name)
        distance = fd_name(extractor.name, extractor.digest)
        rows.append(quality(extractor.name, distance, samples, part.real, part.base_model))
    return Quality(tuple(rows))


def quality(name: str, distance: str, samples: Features, real: Features, base_model: Features) -> FeatureQuality:
    """Measure one row: ``samples``, ``real`` and ``base_model`` are features [n, F] of remaining concepts only."""
    from sfd_core.evaluation.metrics import images_needed

    against_real = _against(samples, real, base_model) if len(real) else None
    needed = images_needed(samples.shape[1])
    return FeatureQuality(name, distance, len(samples), needed, against_real, _against(samples, base_model, None))


def _against(samples: Features, reference: Features, base_model: Features | None) -> Distance:
    """Distances, precision and recall; each is null where the images are too few for it."""
    from sfd_core.evaluation.metrics import (
        enough,
        frechet_distance,
        frechet_interval,
        halves,
        kernel_distance,
        precision_recall,
    )

    kernel, floor = kernel_distance(reference, samples), kernel_distance(*halves(reference))
    near = min(len(samples), len(reference)) > NEIGHBOURS
    ours = precision_recall(reference, samples, NEIGHBOURS) if near else None
    theirs = precision_recall(reference, base_model, NEIGHBOURS) if near and base_model is not None else None
    printed = enough(samples, reference)
    return Distance(
        frechet_interval(reference, samples) if printed else None,
        frechet_distance(*halves(reference)) if printed else None,
        frechet_distance(reference, base_model) if printed and base_model is not None else None,
        kernel.mean,
        kernel.std,
        floor.mean,
        ours.precision if ours else None,
        ours.recall if ours else None,
        theirs.precision if theirs else None,
        theirs.recall if theirs else None,
    )


PAGE = """
{% if report.quality %}
{% call section("quality", "Image quality of what remains") %}
<p class="lead">The generator's images, forgotten concepts left out, are compared with real images and with the base
model's. A <em>floor</em> is the distance between two halves of the same reference images: chance alone makes that much,
so nothing below it can be expected.</p>
<div class="columns">
{% for q in report.quality %}
<div>
<h3>On the features <code>{{ q.features }}</code></h3>
{% set compared = (q.against_real, q.against_base_model) %}
{% if not q.against_base_model.fd %}
<p>No Fréchet distance: it takes {{ q.images_needed | number }} images on the features <code>{{ q.features }}</code>,
and there are {{ q.n | number }}.</p>
{% endif %}
<table class="figures-table">
  <thead>
    <tr><th scope="col">Generator against</th><th scope="col">Real images</th><th scope="col">Base model's images</th></tr>
  </thead>
  <tbody>
    <tr><th scope="row">{{ q.fd_name }}</th>
      {% for d in compared %}<td><strong>{{ d.fd.value | number }}</strong> <small>{{ d.fd | span }}</small></td>{% endfor %}</tr>
    <tr><th scope="row">its floor</th>{% for d in compared %}<td>{{ d.fd_floor | number }}</td>{% endfor %}</tr>
    <tr><th scope="row">the base model's own</th>{% for d in compared %}<td>{{ d.fd_base_model | number }}</td>{% endfor %}</tr>
    <tr><th scope="row">KID</th>
      {% for d in compared %}<td><strong>{{ d.kid | number(2) }}</strong>{% if d.kid_std is number %} ± {{ d.kid_std | number(2) }}{% endif %}</td>{% endfor %}</tr>
    <tr><th scope="row">its floor</th>{% for d in compared %}<td>{{ d.kid_floor | number(2) }}</td>{% endfor %}</tr>
    <tr><th scope="row">Precision <small>base model's</small></th>
      {% for d in compared %}<td>{{ d.precision | percent }} <small>{{ d.precision_base_model | percent }}</small></td>{% endfor %}</tr>
    <tr><th scope="row">Recall <small>base model's</small></th>
      {% for d in compared %}<td>{{ d.recall | percent }} <small>{{ d.recall_base_model | percent }}</small></td>{% endfor %}</tr>
  </tbody>
</table>
</div>
{% endfor %}
</div>
<dl class="facts spaced">
  {{ facts | join("\n") }}
</dl>
<p class="note">FD and KID: Fréchet and kernel distance between {{ report.quality[0].n | number }} images of the
generator and the reference; lower is better. Precision: share of the generator's images that look like the reference's.
Recall: share of the reference's variety that the generator has. Each distance is named after its features: figures on
other features, published ones among them, are not comparable.</p>
{% endcall %}
{% endif %}
"""

SECTION = Section(place=90, part=Quality, measure=measure, needs_judge=False, page=PAGE)
