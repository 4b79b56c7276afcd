"""Is there any condition under which the generator draws the class? A gradient search over the condition itself.

SFD changes what a class label leads to. The label's embedding is only one vector: the search climbs the first judge's
log-probability of the forgotten class over that vector, with the network's weights fixed, from every class's own
embedding and from random ones. The best condition found is then asked for fresh images, and another judge, trained
apart, says what they show: noise that only fools the judge searched with must not count as the look of the class.

A search can also put the look together out of other classes. How far it comes where the class was never learnt says
how much of a success is that: the same search runs on a network retrained without it, and on the untouched base.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from sfd_core.evaluation.attack_target import (
    SHOWN,
    AttackTarget,
    Examples,
    Outcome,
    Steps,
    chunks,
    draw,
)
from sfd_core.evaluation.climbing import Climb
from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.probe import NETWORKS, Network
from sfd_core.evaluation.probes.concept_inversion import ConceptInversion, say
from sfd_core.families.attacked import AttackedNetwork

CLASS_STARTS, RANDOM_STARTS = 12, 4
"""Where the search begins: at most so many classes' own embeddings, the forgotten one among them, and random ones."""
SHORT_STEPS, SHORT_BATCH = 8, 8
"""First all starts a little way, so that the long search goes where it pays."""
KEPT, STEPS, BATCH = 3, 40, 16
STEP_SIZE = 0.03
"""Adam's learning rate, in standard deviations of the network's own embeddings. With 0.1 both judges are content with
dim blots that a person takes for nothing, whatever the network knew."""


def pieces(target: AttackTarget, label: int) -> int:
    """Count the planned pieces of work: steps of both searches and the fresh images, for every network."""
    return len(target.names(label)) * (SHORT_STEPS + STEPS + chunks(target.images))


def run(target: AttackTarget, label: int, override: int | None) -> Steps[Outcome]:
    """Search every network's condition space for the look of ``label``."""
    model = target.base.model
    searched_with = model.judge
    assert searched_with is not None  # a target's judges are those that the model names
    found: dict[Network, Interval] = {}
    rows, shown = [], []
    for name, network in target.networks(label).items():
        rng = target.rng("condition attack", label)
        starts = _starts(network, label, len(model.concepts), rng)
        climb = Climb(target, network, label, rng, STEP_SIZE * float(starts.std()))
        reached, scores = yield from climb.run(starts, SHORT_STEPS, SHORT_BATCH)
        reached, scores = yield from climb.run(reached[scores.topk(KEPT).indices], STEPS, BATCH)
        winner = reached[scores.argmax()]
        z = network.noise(target.images, rng)
        images = yield from draw(network, z, winner.expand(len(z), *winner.shape))
        found[name] = target.seen(images, label)
        rows.append(f"{NETWORKS[name]}, best condition found")
        shown.append(images[:SHOWN])
    concept = model.concepts[label]
    result = ConceptInversion(
        concept,
        say(concept, found, scored_by_another=target.scored_by != searched_with.name),
        len(starts),
        SHORT_STEPS + STEPS,
        BATCH,
        searched_with.name,
        target.scored_by,
        found["generator"],
        found["base_model"],
        found.get("control"),
        found.get("first_stage"),
    )
    return Outcome(result, Examples("concept_inversion", tuple(rows), np.stack(shown)))


def _starts(network: AttackedNetwork, label: int, concepts: int, rng: torch.Generator) -> Tensor:
    """[S, ...]: embeddings of classes, ``label`` first, and random ones with the mean and spread of the table."""
    table = network.embeddings(range(concepts)).detach()
    others = torch.tensor([i for i in range(concepts) if i != label], dtype=torch.long)
    others = others[torch.randperm(len(others), generator=rng)[: CLASS_STARTS - 1]]
    noise = torch.randn(RANDOM_STARTS, *table.shape[1:], generator=rng).to(table.device)
    random = table.mean(dim=0) + table.std(dim=0) * noise
    return torch.cat([table[[label]], table[others.to(table.device)], random])
