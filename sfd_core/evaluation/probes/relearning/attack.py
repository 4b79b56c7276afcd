"""How quickly is the class relearned? Each network is fine-tuned on n images of it, and UA is followed over steps.

A network in which the class is still at hand comes back sooner than one retrained without it. The images are the base
model's own, so no real ones are needed.

The attack must fine-tune a one-step network on images alone: implicit maximum likelihood estimation (Li & Malik 2018,
arXiv 1809.09087). Every step draws a pool of latents, takes for each target image the latent whose image is nearest,
and pulls that image towards the target. Two cheaper ones were tried on models/fashion and are worse: pulling latents to
images at random makes UA jump between 0 and 1 from step to step, and the denoising loss at t_init moves nothing that is
drawn from pure noise. The learning rate is small enough that a step moves UA by some percent: at 3e-4 every network,
whatever it knew, draws the mean image after one step.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sfd_core.display.numbers import number
from sfd_core.evaluation.attack_target import (
    IMAGES,
    SHOWN,
    AttackTarget,
    Examples,
    OneStep,
    Outcome,
    Steps,
    chunks,
    sample,
)
from sfd_core.evaluation.intervals import Interval, wilson
from sfd_core.evaluation.probe import NETWORKS
from sfd_core.evaluation.probes.relearning import HALF, Relearning, RelearningCurve, RelearningPoint, say
from sfd_core.evaluation.subject import base_sampler_of
from sfd_core.families.images import from_uint8

SIZES = (10, 100, 1000)
"""Images that the attacker has."""
POINTS = (0, 2, 4, 6, 8, 10, 12, 15, 20, 30, 40)
"""Steps after which UA is taken, of :data:`IMAGES` images."""
POOL, BATCH, LEARNING_RATE = 32, 16, 2e-5
"""Latents to choose from, images a step, Adam's learning rate."""


def pieces(target: AttackTarget, label: int) -> int:
    """Count the planned pieces of work: images of the base model, steps, and looks at what is drawn."""
    networks = 3 if label in target.controls else 2
    curve = POINTS[-1] + (len(POINTS) - 1) * chunks(IMAGES)
    return chunks(SIZES[-1]) + networks * (chunks(IMAGES) + len(SIZES) * curve)


def run(target: AttackTarget, label: int, override: int | None) -> Steps[Outcome]:
    """Teach every network the class ``label`` again, from each of :data:`SIZES` images."""
    concept = target.base.model.concepts[label]
    base_sampler = base_sampler_of(target.base, target.device)
    images = yield from sample(base_sampler, SIZES[-1], label, target.rng("relearning images", label))
    targets = F.pixel_unshuffle(from_uint8(images), target.base.model.image.patch).to(target.device)

    curves, rows, drawn = [], [], []
    for name, network in target.networks(label).items():
        before = yield from _draw(target, network, label)
        rows.append(f"{NETWORKS[name]}, before")
        drawn.append(before[:SHOWN])
        for n in SIZES:
            points, after = yield from _fine_tune(target, network, label, targets[:n], before)
            curves.append(RelearningCurve.of(name, n, points))
        rows.append(f"{NETWORKS[name]}, {number(points[-1].step)} steps on {number(n)} images")
        drawn.append(after[:SHOWN])
    statement = say(concept, curves, POINTS[-1])
    result = Relearning(concept, statement, POOL, BATCH, LEARNING_RATE, tuple(curves))
    return Outcome(result, Examples("relearning", tuple(rows), np.stack(drawn)))


def _fine_tune(
    target: AttackTarget, network: OneStep, label: int, targets: Tensor, before: NDArray[np.uint8]
) -> Steps[tuple[tuple[RelearningPoint, ...], NDArray[np.uint8]]]:
    """Fine-tune a copy of ``network`` on ``targets`` [n, C, H, W] (cells) until its curve ends; ``before``: what it
    draws at step 0. Returns the curve's points and what is drawn at its end. Every network and n sees the same
    latents."""
    tuned = network.copy()
    optimizer = torch.optim.Adam(tuned.network.parameters(), LEARNING_RATE)
    rng = target.rng("relearning steps", label)
    points, images = [RelearningPoint(0, _accuracy(target, before, label))], before
    for earlier, step in itertools.pairwise(POINTS):
        if points[-1].unlearning_accuracy.high < HALF:
            yield (POINTS[-1] - earlier) + (len(POINTS) - len(points)) * chunks(IMAGES)
            break
        tuned.network.requires_grad_(True)
        for _ in range(step - earlier):
            _imle_step(tuned, optimizer, targets, label, rng)
            yield 1
        tuned.network.requires_grad_(False)
        images = yield from _draw(target, tuned, label)
        points.append(RelearningPoint(step, _accuracy(target, images, label)))
    return tuple(points), images


def _imle_step(
    network: OneStep, optimizer: torch.optim.Adam, targets: Tensor, label: int, rng: torch.Generator
) -> None:
    """``min E_x min_z || f(z) - x ||^2`` on one batch of targets, the inner minimum over a pool of latents."""
    x = targets[torch.randint(len(targets), (BATCH,), generator=rng).to(targets.device)]
    pool = network.noise(POOL, rng)
    with torch.no_grad():
        candidates = F.pixel_unshuffle(network.images(pool, label), network.patch)
    nearest = torch.cdist(x.flatten(1), candidates.flatten(1)).argmin(dim=1)  # [BATCH]
    drawn = F.pixel_unshuffle(network.images(pool[nearest], label), network.patch)
    optimizer.zero_grad(set_to_none=True)
    F.mse_loss(drawn, x).backward()
    optimizer.step()


def _draw(target: AttackTarget, network: OneStep, label: int) -> Steps[NDArray[np.uint8]]:
    """What UA is taken on: the same noise for every network at every step."""
    return network.draw(IMAGES, label, target.rng("relearning looks", label))


def _accuracy(target: AttackTarget, images: NDArray[np.uint8], label: int) -> Interval:
    """UA: the share of ``images`` in which the judge does not see ``label``."""
    seen = int((target.judge.judge(images).seen == label).sum())
    return wilson(len(images) - seen, len(images))
