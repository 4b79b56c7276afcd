"""Fine-tunes a copy of a one-step network on images, and looks at what it draws of a forgotten concept meanwhile.

An attack must fine-tune a one-step network on images alone: implicit maximum likelihood estimation (Li & Malik 2018,
arXiv 1809.09087). Every step draws a pool of latents, takes for each target image the latent whose image is nearest,
and pulls that image towards the target. Two cheaper ones were tried on models/fashion and are worse: pulling latents to
images at random makes UA jump between 0 and 1 from step to step, and the denoising loss at t_init moves nothing that is
drawn from pure noise. The learning rate is small enough that a step moves UA by some percent: at 3e-4 every network of
models/fashion, whatever it knew, draws the mean image after one step.

All of it is done in the network's own space, of cells or latents. Where a concept is asked for by prompts, each latent
of a pool comes with one of them, and both together are what is chosen.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sfd_core.evaluation.attack_target import AttackTarget, Images, Steps, chunks, draw
from sfd_core.evaluation.intervals import Interval, wilson
from sfd_core.evaluation.probes.relearning import HALF, RelearningPoint
from sfd_core.families.attacked import AttackedNetwork
from sfd_core.families.images import from_uint8

POOL, BATCH, LEARNING_RATE = 32, 16, 2e-5
"""Latents to choose from, images a step, Adam's learning rate."""


@dataclass(frozen=True)
class Lesson:
    """Images to be fine-tuned on. ``label``: what they show and are asked for by; ``x0``: [n, ...], encoded."""

    label: int
    x0: Tensor


def lessons(target: AttackTarget, labels: Sequence[int]) -> Steps[list[Lesson]]:
    """Have the untouched base model draw an image of each of ``labels``; returns a lesson an image."""
    images = yield from target.base_images(labels)
    encoder = next(iter(target.networks(labels[0]).values()))
    x0 = torch.cat([encoder.encode(piece.to(target.device)) for piece in from_uint8(images).split(encoder.together)])
    return [Lesson(label, one[None]) for label, one in zip(labels, x0, strict=True)]


def by_label(learnt: Sequence[Lesson]) -> list[Lesson]:
    """Put together what shows the same."""
    labels = dict.fromkeys(lesson.label for lesson in learnt)
    return [Lesson(label, torch.cat([each.x0 for each in learnt if each.label == label])) for label in labels]


@dataclass(frozen=True)
class FineTuning:
    """A fine-tuning of copies of networks. ``name``: the probe's, of its random numbers. ``points``: the steps after
    which ``label`` is asked for. ``to_the_end``: also where the concept is back, by the whole interval, in half of the
    images."""

    name: str
    target: AttackTarget
    label: int
    points: Sequence[int]
    to_the_end: bool = False

    def pieces(self) -> int:
        """Count the planned pieces of work of one run."""
        return self.points[-1] + (len(self.points) - 1) * chunks(self.target.images)

    def run(
        self, network: AttackedNetwork, learnt: Sequence[Lesson], before: Images
    ) -> Steps[tuple[tuple[RelearningPoint, ...], Images]]:
        """Train a copy of ``network`` on what is ``learnt``. ``before``: what it draws of the concept at step 0.
        Returns the curve's points and what is drawn at its end. Every network sees the same latents."""
        tuned, by_concept = network.copy(), by_label(learnt)
        optimizer = torch.optim.Adam(tuned.network.parameters(), LEARNING_RATE)
        rng = self.target.rng(f"{self.name} steps", self.label)
        points, images = [RelearningPoint(0, self._accuracy(before))], before
        for earlier, step in itertools.pairwise(self.points):
            if not self.to_the_end and points[-1].unlearning_accuracy.high < HALF:
                yield (self.points[-1] - earlier) + (len(self.points) - len(points)) * chunks(self.target.images)
                break
            tuned.network.requires_grad_(True)
            for _ in range(step - earlier):
                which = int(torch.randint(len(by_concept), (1,), generator=rng)) if len(by_concept) > 1 else 0
                self._imle_step(tuned, optimizer, by_concept[which], rng)
                yield 1
            tuned.network.requires_grad_(False)
            images = yield from self.look(tuned)
            points.append(RelearningPoint(step, self._accuracy(images)))
        return tuple(points), images

    def look(self, network: AttackedNetwork) -> Steps[Images]:
        """Draw what UA is taken on: from the same noise for every network at every step."""
        z = network.noise(self.target.images, self.target.rng(f"{self.name} looks", self.label))
        with torch.no_grad():
            c = network.embeddings(self.target.asked([self.label] * self.target.images, range(self.target.images)))
        return (yield from draw(network, z, c))

    def _imle_step(
        self, network: AttackedNetwork, optimizer: torch.optim.Adam, lesson: Lesson, rng: torch.Generator
    ) -> None:
        """``min E_x min_z || f(z) - x ||^2`` on one batch of targets, the inner minimum over a pool of latents."""
        x = lesson.x0[torch.randint(len(lesson.x0), (BATCH,), generator=rng).to(lesson.x0.device)]
        pool = network.noise(POOL, rng)
        asked = self.target.asked([lesson.label] * POOL, range(POOL))
        with torch.no_grad():
            c = network.embeddings(asked)
            pieces = torch.arange(POOL, device=pool.device).split(network.together)
            candidates = torch.cat([network.draw(pool[i], c[i]) for i in pieces])
        nearest = torch.cdist(x.flatten(1), candidates.flatten(1)).argmin(dim=1)  # [BATCH]
        optimizer.zero_grad(set_to_none=True)
        for i in torch.arange(BATCH, device=pool.device).split(network.together):
            drawn = network.draw(pool[nearest[i]], network.embeddings(asked)[nearest[i]])
            (F.mse_loss(drawn, x[i]) * (len(i) / BATCH)).backward()
        optimizer.step()

    def _accuracy(self, images: Images) -> Interval:
        """UA: the share of ``images`` in which the judge that counts does not see the concept."""
        n = len(images)
        return wilson(n - round(self.target.seen(images, self.label).value * n), n)
