"""Verdicts without a network: "generators" made of the bundled models' own stored samples, as their judges saw them, so
that a verdict on thousands of images takes a fraction of a second."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.shared.drawn_hits import NOTHING_AMISS, ByJudge, with_drawn
from jobs.settings import BUNDLED_MODELS
from sfd_core.base_model.manifest import BaseModel
from sfd_core.evaluation.concept_images import ConceptImages, Judgements
from sfd_core.evaluation.criteria import CRITERIA, complete
from sfd_core.evaluation.evaluators import Evaluators, OtherDomain
from sfd_core.evaluation.evidence import Evidence
from sfd_core.evaluation.judge import Judgement
from sfd_core.evaluation.parts import Parts, PartsOnDemand
from sfd_core.evaluation.reference import Reference, ReferenceSet
from sfd_core.evaluation.section import Section
from sfd_core.evaluation.sections import SECTIONS, captions, cross_domain, depth, diversity, paraphrases
from sfd_core.evaluation.verdict import Criterion
from sfd_core.families.registry import load_manifest
from sfd_core.request.concepts import Budget, Forget
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.recipe import Recipe
from sfd_core.request.unlearning_request import UnlearningRequest

JUDGED: Any = "the images were judged before"
"""In place of a judge."""
HELD = {"unlearning_accuracy": 0.9}
"""Thresholds: half of the stored images are too few for the default of 0.99."""
LOOKED_AT = (captions.Captions, cross_domain.CrossDomain, depth.Depth, diversity.Diversity, paraphrases.Paraphrases)
"""Parts that criteria look at; the others are measured from what is not kept here."""
FORGET = {"fashion": ("Sneaker", "Bag"), "emoji": ("pistol", "banana")}

Pools = list[ReferenceSet]
"""Images of each concept, by label: those that a generator may show."""
Verdicts = dict[str, Criterion]


@dataclass(frozen=True)
class World:
    """A base model and what it forgets. ``others``: its other domains."""

    model: BaseModel
    reference: Reference
    forgotten: int
    override: int
    others: tuple[OtherDomain, ...] = ()

    @property
    def kept(self) -> list[int]:
        """Labels of what remains."""
        return [label for label in range(len(self.model.concepts)) if label != self.forgotten]


Deceiver = Callable[[World, Pools, np.random.Generator], Pools]
"""Makes what a generator shows of the base model's images."""


@cache
def world(name: str) -> World:
    """Load the bundled model ``name``, seen in the domain of what it forgets."""
    whole = load_manifest(BUNDLED_MODELS / name)
    model = whole.view("object") if whole.domains else whole
    forgotten, override = (model.concepts.index(concept) for concept in FORGET[name])
    views = [whole.view(domain) for domain in whole.domains if domain != model.domain]
    others = tuple(OtherDomain(view, JUDGED, _reference_of(view), JUDGED) for view in views)
    return World(model, _reference_of(model), forgotten, override, others)


def _reference_of(model: BaseModel) -> Reference:
    assert model.reference is not None
    return Reference.load(model.folder / model.reference)


def rows(part: ReferenceSet, chosen: NDArray[Any]) -> ReferenceSet:
    """Return some of the images, in that order; again and again where they are named so."""
    second = None if part.second_seen is None else part.second_seen[chosen]
    return ReferenceSet(part.features[chosen], part.labels[chosen], part.seen[chosen], part.confidence[chosen], second)


def joined(parts: Sequence[ReferenceSet]) -> ReferenceSet:
    """Return the images of all parts."""
    fields = [field.name for field in dataclasses.fields(ReferenceSet)]
    return ReferenceSet(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


def honest(_: World, pools: Pools, __: np.random.Generator) -> Pools:
    """Return the base model itself, forgetting perfectly: other images of its own than the reference's."""
    return pools


def criteria_of(
    name: str,
    seed: int,
    deceiver: Deceiver = honest,
    n: int | None = None,
    only: Collection[str] = tuple(CRITERIA),
    *,
    beside: ByJudge = (NOTHING_AMISS, NOTHING_AMISS),
    world_of: Callable[[str], World] = world,
) -> Verdicts:
    """Say what each criterion finds of a generator of ``n`` images a concept (default: half of those that are stored).

    The base model's images are split at random: one half is the reference, of the other the deceiver makes its own.
    ``beside``: what no stored sample says of it; ``world_of``: the base model and what judges see of it.
    """
    of, rng = world_of(name), np.random.default_rng(seed)
    kept, pools = [], []
    for label in range(len(of.model.concepts)):
        part = of.reference.base_model.only([label])
        order = rng.permutation(len(part.labels))
        middle = len(order) // 2
        kept.append(rows(part, order[:middle]))
        pools.append(rows(part, order[middle:]))
    pools[of.forgotten] = pools[of.override]
    pools = deceiver(of, pools, rng)
    if n is not None:
        pools = [rows(pool, rng.permutation(len(pool.labels))[:n]) for pool in pools]
    return _of_drawn(of, joined(kept), pools, only, beside, rng)


def criteria_of_drawn(name: str, seed: int, n: int, only: Collection[str] = tuple(CRITERIA)) -> Verdicts:
    """Say the same of the base model itself at more images than are stored: the features of both sides are drawn from
    normal distributions with the mean and covariance of each concept's stored ones, and what judges see is drawn from
    what they saw. The reference is as large as the stored one."""
    of, rng = world(name), np.random.default_rng(seed)
    parts = [of.reference.base_model.only([label]) for label in range(len(of.model.concepts))]
    shown = [parts[of.override] if label == of.forgotten else part for label, part in enumerate(parts)]
    kept = [_drawn(part, len(part.labels), rng) for part in parts]
    return _of_drawn(
        of, joined(kept), [_drawn(part, n, rng) for part in shown], only, (NOTHING_AMISS, NOTHING_AMISS), rng
    )


def _drawn(part: ReferenceSet, n: int, rng: np.random.Generator) -> ReferenceSet:
    mean = part.features.mean(0)
    # R'R is the covariance, whether or not it has full rank.
    factor = np.linalg.qr((part.features - mean) / np.sqrt(len(part.labels) - 1), mode="r")
    features = mean + rng.normal(size=(n, len(factor))) @ factor
    again = rows(part, rng.integers(0, len(part.labels), n))
    return dataclasses.replace(again, features=features.astype(np.float32))


def _of_drawn(
    of: World, kept: ReferenceSet, pools: Pools, only: Collection[str], beside: ByJudge, rng: np.random.Generator
) -> Verdicts:
    evidence = evidence_of(of, Reference(of.reference.real, kept), pools, HELD)
    return _decided(with_drawn(evidence, of.others, beside, rng), only)


def decided(
    of: World,
    reference: Reference,
    pools: Pools,
    thresholds: Mapping[str, float],
    only: Collection[str] = tuple(CRITERIA),
) -> Verdicts:
    """Decide the criteria, or ``only`` some of them, on these images; by their names."""
    return _decided(evidence_of(of, reference, pools, thresholds), only)


def _decided(evidence: Evidence, only: Collection[str]) -> Verdicts:
    parts = parts_of(evidence)
    limits = complete(evidence.request.thresholds)
    found = [one for name in only for one in CRITERIA[name].decide(parts, evidence, limits[name])]
    return {criterion.name: criterion for criterion in found}


def parts_of(evidence: Evidence) -> Parts:
    """Return what criteria look at of the sections, each measured where one asks."""

    def measured(section: Section) -> Callable[[], Any]:
        return partial(section.measure, evidence) if section.part in LOOKED_AT else section.part

    return PartsOnDemand({section.part: measured(section) for section in SECTIONS})


def evidence_of(of: World, reference: Reference, pools: Pools, thresholds: Mapping[str, float]) -> Evidence:
    """Return what sections measure from, of a generator that shows these images."""
    concepts = of.model.concepts
    second = None if reference.base_model.second_seen is None else JUDGED
    looking = Evaluators(of.model, JUDGED, reference, second)
    asked = Forget(concepts[of.forgotten], FixedOverride(concepts[of.override]))
    request = UnlearningRequest(of.model.name, (asked,), Budget(64), Recipe(), thresholds)
    judged = {label: _images(pool, len(concepts)) for label, pool in enumerate(pools)}
    return Evidence(looking, request, 0, Judgements(judged), {})


def _images(pool: ReferenceSet, concepts: int) -> ConceptImages:
    sure = np.eye(concepts, dtype=np.float32)
    second = None if pool.second_seen is None else Judgement(sure[pool.second_seen], pool.features)
    return ConceptImages(Judgement(sure[pool.seen], pool.features), second)
