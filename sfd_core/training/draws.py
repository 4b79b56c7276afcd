"""What is random in a step, drawn on the CPU, so that every device sees the same run, and whole, so that every process
of a run does: each takes its share of the images afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sfd_core.families.device import device_of
from sfd_core.families.images import noise_shape
from sfd_core.families.parameterization import Parameterization
from sfd_core.request.recipe import Recipe
from sfd_core.training.conditions import Conditions, ConditionSampler
from sfd_core.training.state import TrainingState


@dataclass(frozen=True)
class Draws:
    """One batch of generated images, and one update of either network on them.

    ``c``, ``w``: [B] conditions and their weights. ``z``: unit noise [B, C, H, W] of the images, one for each step that
    they are drawn in: of as many as the generator makes, any number alike. ``t_psi``,
    ``eps_psi``, ``c_psi``: times [B], noise [B, C, H, W] and conditions [B], some of them dropped, of the fake score's
    loss. ``t_theta``, ``eps_theta``, ``o``: of the generator's loss; ``o`` are overrides, but for those that a judge
    chooses.
    """

    c: Tensor
    w: Tensor
    z: Sequence[Tensor]
    t_psi: Tensor
    eps_psi: Tensor
    t_theta: Tensor
    eps_theta: Tensor
    c_psi: Tensor
    o: Tensor

    @classmethod
    def of(
        cls,
        conditions: Conditions,
        sampler: ConditionSampler,
        schedule: Parameterization,
        recipe: Recipe,
        state: TrainingState,
    ) -> Draws:
        """Draw what an update of both networks on these ``conditions`` needs."""
        c, w, rng = conditions.c, conditions.w, state.rng
        z = [unit_noise(len(c), state) for _ in range(_steps(recipe, rng))]
        t_psi, eps_psi = schedule.fake_score_times(len(c), recipe, rng).to(c.device), unit_noise(len(c), state)
        t_theta, eps_theta = schedule.generator_times(len(c), recipe, rng).to(c.device), unit_noise(len(c), state)
        c_psi = sampler.some_dropped(c, rng)
        return cls(c, w, z, t_psi, eps_psi, t_theta, eps_theta, c_psi, sampler.overrides(c, rng))


@dataclass(frozen=True)
class DeepDraws:
    """A half of the images of ``L_deep``: ``c``, ``o``: [B] conditions and overrides; ``z``, ``eps``: [B, C, H, W]
    noise of the images and of their noising; ``t``: [B] times."""

    c: Tensor
    z: Tensor
    eps: Tensor
    t: Tensor
    o: Tensor

    @classmethod
    def of(
        cls, c: Tensor, sampler: ConditionSampler, schedule: Parameterization, recipe: Recipe, state: TrainingState
    ) -> DeepDraws:
        """Draw what these conditions need. Some times are the generator's own, the others of the whole schedule."""
        z, eps = unit_noise(len(c), state), unit_noise(len(c), state)
        t = schedule.all_times(len(c), state.rng)
        own = torch.rand(len(c), generator=state.rng) < recipe.deep_start_share
        t = t.masked_fill(own, schedule.start(recipe)).to(c.device)
        return cls(c, z, eps, t, sampler.overrides(c, state.rng))


def _steps(recipe: Recipe, rng: torch.Generator) -> int:
    """In how many steps images are drawn; nothing is drawn where that is always one."""
    return int(torch.randint(1, recipe.steps + 1, (), generator=rng)) if recipe.steps > 1 else 1


def unit_noise(batch: int, state: TrainingState) -> Tensor:
    """Draw unit noise in the network's space: [B, C, H, W]."""
    noise = torch.randn(batch, *noise_shape(state.generator), generator=state.rng)
    return noise.to(device_of(state.generator))
