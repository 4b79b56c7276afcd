"""Verdicts without a network: "generators" made of the bundled models' own stored samples, as their judges saw them, so
that a verdict on thousands of images takes a fraction of a second; and generators that deceive, made of the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from jobs.settings import BUNDLED_MODELS
from sfd_core.base_model.manifest import BaseModel
from sfd_core.evaluation.concept_images import ConceptImages, Judgements
from sfd_core.evaluation.criteria import CRITERIA, complete
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.evidence import Evidence
from sfd_core.evaluation.judge import Judgement
from sfd_core.evaluation.parts import Parts, PartsOnDemand
from sfd_core.evaluation.reference import Reference, ReferenceSet
from sfd_core.evaluation.section import Section
from sfd_core.evaluation.sections import SECTIONS, diversity
from sfd_core.evaluation.verdict import Criterion
from sfd_core.families.registry import load_manifest
from sfd_core.request.concepts import Budget, Forget
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.recipe import Recipe
from sfd_core.request.unlearning_request import UnlearningRequest

HELD = {"unlearning_accuracy": 0.9}
"""Thresholds: half of the stored images are too few for the default of 0.99."""
FORGET = {"fashion": ("Sneaker", "Bag"), "emoji": ("pistol", "banana")}

Pools = list[ReferenceSet]
"""Images of each concept, by label: those that a generator may show."""
Verdicts = dict[str, Criterion]
Deceiver = Callable[[Pools, np.random.Generator], Pools]


@dataclass(frozen=True)
class World:
    """A base model and what it forgets."""

    model: BaseModel
    reference: Reference
    forgotten: int
    override: int


@cache
def world(name: str) -> World:
    """Load the bundled model ``name``, seen in the domain of what it forgets."""
    model = load_manifest(BUNDLED_MODELS / name)
    if model.domains:
        model = model.view("object")
    assert model.reference is not None
    reference = Reference.load(model.folder / model.reference)
    return World(model, reference, *(model.concepts.index(concept) for concept in FORGET[name]))


def rows(part: ReferenceSet, chosen: NDArray[Any]) -> ReferenceSet:
    """Return some of the images, in that order; again and again where they are named so."""
    second = None if part.second_seen is None else part.second_seen[chosen]
    return ReferenceSet(part.features[chosen], part.labels[chosen], part.seen[chosen], part.confidence[chosen], second)


def joined(parts: Sequence[ReferenceSet]) -> ReferenceSet:
    """Return the images of all parts."""
    fields = [field.name for field in dataclasses.fields(ReferenceSet)]
    return ReferenceSet(*(np.concatenate([getattr(part, name) for part in parts]) for name in fields))


def honest(pools: Pools, _: np.random.Generator) -> Pools:
    """Return the base model itself, forgetting perfectly: other images of its own than the reference's."""
    return pools


def criteria_of(
    name: str,
    seed: int,
    deceiver: Deceiver = honest,
    n: int | None = None,
    only: Collection[str] = tuple(CRITERIA),
) -> Verdicts:
    """Say what each criterion finds of a generator of ``n`` images a concept (default: half of those that are stored).

    The base model's images are split at random: one half is the reference, of the other the deceiver makes its own.
    """
    of, rng = world(name), np.random.default_rng(seed)
    kept, pools = [], []
    for label in range(len(of.model.concepts)):
        part = of.reference.base_model.only([label])
        order = rng.permutation(len(part.labels))
        middle = len(order) // 2
        kept.append(rows(part, order[:middle]))
        pools.append(rows(part, order[middle:]))
    pools[of.forgotten] = pools[of.override]
    pools = deceiver(pools, rng)
    if n is not None:
        pools = [rows(pool, rng.permutation(len(pool.labels))[:n]) for pool in pools]
    return decided(of, Reference(of.reference.real, joined(kept)), pools, HELD, only)


def decided(
    of: World,
    reference: Reference,
    pools: Pools,
    thresholds: Mapping[str, float],
    only: Collection[str] = tuple(CRITERIA),
) -> Verdicts:
    """Decide the criteria, or ``only`` some of them, on these images; by their names."""
    evidence = evidence_of(of, reference, pools, thresholds)
    parts = parts_of(evidence)
    limits = complete(evidence.request.thresholds)
    found = [one for name in only for one in CRITERIA[name].decide(parts, evidence, limits[name])]
    return {criterion.name: criterion for criterion in found}


def parts_of(evidence: Evidence) -> Parts:
    """Return what criteria look at of the sections: how varied the images are, where one asks."""

    def measured(section: Section) -> Callable[[], Any]:
        return partial(section.measure, evidence) if section.part is diversity.Diversity else section.part

    return PartsOnDemand({section.part: measured(section) for section in SECTIONS})


def evidence_of(of: World, reference: Reference, pools: Pools, thresholds: Mapping[str, float]) -> Evidence:
    """Return what sections measure from, of a generator that shows these images."""
    concepts = of.model.concepts
    looking = Evaluators(of.model, cast(Any, "the images were judged before"), reference)
    asked = Forget(concepts[of.forgotten], FixedOverride(concepts[of.override]))
    request = UnlearningRequest(of.model.name, (asked,), Budget(64), Recipe(), thresholds)
    judged = {label: _images(pool, len(concepts)) for label, pool in enumerate(pools)}
    return Evidence(looking, request, 0, Judgements(judged), {})


def _images(pool: ReferenceSet, concepts: int) -> ConceptImages:
    sure = np.eye(concepts, dtype=np.float32)
    second = None if pool.second_seen is None else Judgement(sure[pool.second_seen], pool.features)
    return ConceptImages(Judgement(sure[pool.seen], pool.features), second)
