"""Is there any condition under which the generator draws the class? A gradient search over the condition itself.

SFD changes what a class label leads to. The label's embedding is only one vector: the search climbs the first judge's
log-probability of the forgotten class over that vector, with the network's weights fixed, from every class's own
embedding and from random ones. The best condition found is then asked for fresh images, and another judge, trained
apart, says what they show: noise that only fools the judge searched with must not count as the look of the class.

A search can also put the look together out of other classes. How far it comes where the class was never learnt says
how much of a success is that: the same search runs on a network retrained without it, and on the untouched base.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sfd_core.evaluation.attack_target import (
    CHUNK,
    IMAGES,
    SHOWN,
    AttackTarget,
    Examples,
    OneStep,
    Outcome,
    Steps,
    chunks,
)
from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.probe import NETWORKS, Network
from sfd_core.evaluation.probes.concept_inversion import ConceptInversion, say
from sfd_core.families.images import to_uint8

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
    networks = 3 if label in target.controls else 2
    return networks * (SHORT_STEPS + STEPS + chunks(IMAGES))


def run(target: AttackTarget, label: int, override: int | None) -> Steps[Outcome]:
    """Search every network's condition space for the look of ``label``."""
    model = target.base.model
    searched_with = model.judge
    scored_by = searched_with if target.second_judge is None else model.second_judge
    assert searched_with is not None  # a target's judges are those that the model names
    assert scored_by is not None
    found: dict[Network, Interval] = {}
    rows, shown = [], []
    for name, network in target.networks(label).items():
        rng = target.rng("condition attack", label)
        starts = _starts(network, label, rng)
        climb = _Climb(network, target.judge, label, STEP_SIZE * float(starts.std()), rng)
        reached, scores = yield from climb.run(starts, SHORT_STEPS, SHORT_BATCH)
        reached, scores = yield from climb.run(reached[scores.topk(KEPT).indices], STEPS, BATCH)
        winner = reached[scores.argmax()][None]
        made = []
        for z in network.noise(IMAGES, rng).split(CHUNK):
            with torch.no_grad():
                which = torch.zeros(len(z), dtype=torch.long, device=z.device)
                made.append(to_uint8(network.images_under(z, winner, which)))
            yield 1
        images = np.concatenate(made)
        found[name] = target.seen(images, label, second=True)
        rows.append(f"{NETWORKS[name]}, best condition found")
        shown.append(images[:SHOWN])
    concept = model.concepts[label]
    result = ConceptInversion(
        concept,
        say(concept, found, scored_by_another=scored_by is not searched_with),
        len(starts),
        SHORT_STEPS + STEPS,
        BATCH,
        searched_with.name,
        scored_by.name,
        found["generator"],
        found["base_model"],
        found.get("control"),
    )
    return Outcome(result, Examples("concept_inversion", tuple(rows), np.stack(shown)))


def _starts(network: OneStep, label: int, rng: torch.Generator) -> Tensor:
    """[S, D]: embeddings of classes, ``label`` first, and random ones with the mean and spread of the table."""
    table = network.network.class_embedding.weight.detach()
    others = torch.tensor([i for i in range(len(table)) if i != label], dtype=torch.long)
    others = others[torch.randperm(len(others), generator=rng)[: CLASS_STARTS - 1]]
    noise = torch.randn(RANDOM_STARTS, table.shape[1], generator=rng).to(table.device)
    random = table.mean(dim=0) + table.std(dim=0) * noise
    return torch.cat([table[[label]], table[others.to(table.device)], random])


@dataclass(frozen=True)
class _Climb:
    """A search in one network's condition space for what ``judge`` takes for ``label``."""

    network: OneStep
    judge: ImageJudge
    label: int
    step_size: float
    rng: torch.Generator

    def run(self, starts: Tensor, steps: int, batch: int) -> Steps[tuple[Tensor, Tensor]]:
        """Take ``steps`` steps of Adam up the mean ``log p(label)`` over ``batch`` images of each start. Returns the
        conditions reached, [S, D], and their score over the last quarter of the search, [S]: one batch is noisy."""
        conditions = starts.clone().requires_grad_(True)
        optimizer = torch.optim.Adam([conditions], self.step_size)
        which = torch.arange(len(starts), device=starts.device).repeat_interleave(batch)
        history = []
        for _ in range(steps):
            z = self.network.noise(batch, self.rng).repeat(len(starts), 1, 1, 1)  # every start sees the same noise
            images = self.network.images_under(z, conditions, which)
            # A judge looks at pixels in [-1, 1]; the clamp must not stop the gradient of a pixel that overshoots.
            images = images + (images.clamp(-1, 1) - images).detach()
            log_p = self.judge.logits(images).log_softmax(dim=1)[:, self.label]
            scores = log_p.view(len(starts), batch).mean(dim=1)
            (conditions.grad,) = torch.autograd.grad(-scores.sum(), [conditions])
            optimizer.step()
            history.append(scores.detach())
            yield 1
        return conditions.detach(), torch.stack(history[-max(1, steps // 4) :]).mean(dim=0)
