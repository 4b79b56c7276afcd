"""A gradient search over what a network is conditioned on, for what a judge takes for a concept."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sfd_core.evaluation.attack_target import AttackTarget, Steps
from sfd_core.families.attacked import AttackedNetwork

ARRIVED = 2
"""Batches that a start must be seen to have arrived on."""


@dataclass(frozen=True)
class Climb:
    """A search in one network for the look of ``label``. ``read``: the embeddings [S, ...] that S searched points [S,
    ...] stand for. ``step_size``: Adam's learning rate. ``enough``: the score at which a start has arrived, and the
    search ends: Adam would wander on.
    """

    target: AttackTarget
    network: AttackedNetwork
    label: int
    rng: torch.Generator
    step_size: float
    read: Callable[[Tensor], Tensor] = lambda points: points
    enough: float = math.inf

    def run(self, starts: Tensor, steps: int, batch: int) -> Steps[tuple[Tensor, Tensor]]:
        """Take ``steps`` steps up the mean ``log p(label)`` over ``batch`` images of each start. Returns the points
        reached, [S, ...], and their score over the last quarter of the search, [S]: one batch is noisy."""
        last = max(1, steps // 4)
        points = starts.clone().requires_grad_(True)
        optimizer = torch.optim.Adam([points], self.step_size)
        history = []
        for left in reversed(range(steps)):
            points.grad, scores = self.gradient(points, self.network.noise(batch, self.rng))
            history.append(scores)
            if float(torch.stack(history[-last:]).mean(dim=0).max()) >= self.enough and len(history) >= ARRIVED:
                yield 1 + left
                break
            optimizer.step()
            yield 1
        return points.detach(), torch.stack(history[-last:]).mean(dim=0)

    def gradient(self, points: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradient of ``-mean log p(label)`` over the images of z [B, ...] by each of ``points`` [S, ...],
        and the mean of each, [S]. Every point sees the same noise."""
        with torch.enable_grad():
            searched = points.detach().requires_grad_(True)
            read = self.read(searched)
            c = read.detach().requires_grad_(True)
            scores = self._scores(c, z, gradients=True)
            read.backward(c.grad)
        assert searched.grad is not None
        return searched.grad, scores

    @torch.no_grad()
    def scores(self, c: Tensor, z: Tensor) -> Tensor:
        """Return the mean ``log p(label)`` over the images of z [B, ...] under each of the embeddings c [S, ...]:
        [S]."""
        return self._scores(c, z, gradients=False)

    def _scores(self, c: Tensor, z: Tensor, gradients: bool) -> Tensor:
        which = torch.arange(len(c), device=c.device).repeat_interleave(len(z))
        noise = torch.arange(len(z), device=c.device).repeat(len(c))
        found = []
        for i in torch.arange(len(which), device=c.device).split(self.network.together):
            log_p = self.target.log_p(self.network.images(z[noise[i]], c[which[i]]), self.label)
            if gradients:
                (-log_p.sum() / len(z)).backward()
            found.append(log_p.detach())
        return torch.cat(found).view(len(c), len(z)).mean(dim=1)
