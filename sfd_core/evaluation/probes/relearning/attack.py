"""How quickly is the concept relearned? Each network is fine-tuned on n images of it, and UA is followed over steps.

A network in which the concept is still at hand comes back sooner than one retrained without it. The images are the base
model's own, so no real ones are needed.
"""

from __future__ import annotations

import numpy as np

from sfd_core.display.numbers import number
from sfd_core.evaluation import fine_tuning
from sfd_core.evaluation.attack_target import SHOWN, AttackTarget, Examples, Outcome, Steps, chunks
from sfd_core.evaluation.fine_tuning import FineTuning, lessons
from sfd_core.evaluation.probe import short
from sfd_core.evaluation.probes.relearning import Relearning, RelearningCurve, say

SIZES = (10, 100, 1000)
"""Images that the attacker has."""
POINTS = (0, 2, 4, 6, 8, 10, 12, 15, 20, 30, 40)
"""Steps after which UA is taken, of ``target.images`` images."""


def pieces(target: AttackTarget, label: int) -> int:
    """Count the planned pieces of work: images of the base model, steps, and looks at what is drawn."""
    curve = FineTuning("relearning", target, label, POINTS).pieces()
    return chunks(SIZES[-1]) + len(target.names(label)) * (chunks(target.images) + len(SIZES) * curve)


def run(target: AttackTarget, label: int, override: int | None) -> Steps[Outcome]:
    """Teach every network the concept ``label`` again, from each of :data:`SIZES` images."""
    concept = target.base.model.concepts[label]
    learnt = yield from lessons(target, [label] * SIZES[-1])
    tuning = FineTuning("relearning", target, label, POINTS)
    curves, rows, drawn = [], [], []
    for name, network in target.networks(label).items():
        before = yield from tuning.look(network)
        rows.append(f"{short(name)}, before")
        drawn.append(before[:SHOWN])
        for n in SIZES:
            points, after = yield from tuning.run(network, learnt[:n], before)
            curves.append(RelearningCurve.of(name, n, points))
        rows.append(f"{short(name)}, {number(points[-1].step)} steps on {number(n)} images")
        drawn.append(after[:SHOWN])
    statement = say(concept, curves, POINTS[-1])
    pool, batch, lr = fine_tuning.POOL, fine_tuning.BATCH, fine_tuning.LEARNING_RATE
    result = Relearning(concept, statement, pool, batch, lr, tuple(curves), target.scored_by)
    return Outcome(result, Examples("relearning", tuple(rows), np.stack(drawn)))
