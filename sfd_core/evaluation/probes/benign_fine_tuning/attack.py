"""Does the concept come back by itself, when the generator is fine-tuned on images of other concepts alone?

What a customer does with a generator, not an attacker: it is fine-tuned on the base model's images of what remains,
each asked for by its own name (Suriyakumar et al. 2024, arXiv 2410.08074, found that this alone brings concepts back).
Beside it the same is done to the distilled generator that forgot nothing, or the base model where there is none:
whether the fine-tuning would leave the concept in a network that knows it.
"""

from __future__ import annotations

import numpy as np
import torch

from sfd_core.display.numbers import number
from sfd_core.evaluation import fine_tuning
from sfd_core.evaluation.attack_target import SHOWN, AttackTarget, Examples, Outcome, Steps, chunks
from sfd_core.evaluation.fine_tuning import FineTuning, lessons
from sfd_core.evaluation.probe import Network, short
from sfd_core.evaluation.probes.benign_fine_tuning import BenignFineTuning, say
from sfd_core.evaluation.probes.relearning import RelearningCurve

SIZES = (10, 100, 1000)
"""Images of other concepts."""
POINTS = (0, 10, 20, 40)
"""Steps after which UA of the forgotten concept is taken, of ``target.images`` images."""


def tuned(target: AttackTarget, label: int) -> list[Network]:
    """List the networks that are fine-tuned: the generator, and beside it what forgot nothing, and the control."""
    names = target.names(label)
    return [name for name in names if name != "base_model" or "first_stage" not in names]


def pieces(target: AttackTarget, label: int) -> int:
    """Count the planned pieces of work: images of the base model, steps, and looks at what is drawn."""
    curve = FineTuning("benign fine-tuning", target, label, POINTS).pieces()
    return chunks(SIZES[-1]) + len(tuned(target, label)) * (chunks(target.images) + len(SIZES) * curve)


def run(target: AttackTarget, label: int, override: int | None) -> Steps[Outcome]:
    """Train networks on images of remaining concepts, of each as many."""
    model, rng = target.base.model, target.rng("benign fine-tuning images", label)
    forgotten = {each for each, _ in target.forgotten}
    others = [i for i in range(len(model.concepts)) if i not in forgotten]
    others = [others[i] for i in torch.randperm(len(others), generator=rng)]
    learnt = yield from lessons(target, [others[i % len(others)] for i in range(SIZES[-1])])
    tuning = FineTuning("benign fine-tuning", target, label, POINTS, to_the_end=True)
    curves, rows, drawn = [], [], []
    networks = target.networks(label)
    for name in tuned(target, label):
        before = yield from tuning.look(networks[name])
        rows.append(f"{short(name)}, before")
        drawn.append(before[:SHOWN])
        for n in SIZES:
            points, after = yield from tuning.run(networks[name], learnt[:n], before)
            curves.append(RelearningCurve.of(name, n, points))
        rows.append(f"{short(name)}, {number(points[-1].step)} steps on {number(n)} images of other concepts")
        drawn.append(after[:SHOWN])
    concept, lr = model.concepts[label], fine_tuning.LEARNING_RATE
    statement = say(concept, curves)
    result = BenignFineTuning(
        concept, statement, fine_tuning.POOL, fine_tuning.BATCH, lr, tuple(curves), target.scored_by
    )
    return Outcome(result, Examples("benign_fine_tuning", tuple(rows), np.stack(drawn)))
