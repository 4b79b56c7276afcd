"""Flow matching (Lipman et al. 2023, arXiv 2210.02747; Esser et al. 2024, arXiv 2403.03206), as the stock pipelines of
Stable Diffusion 3, FLUX and SANA have it.

Times are noise levels: ``t`` is sigma itself, from 0 to 1, ``x_t = (1 - sigma) x0 + sigma eps``, and networks predict
the velocity ``v = eps - x0``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from sfd_core.families.parameterization import Parameterization, per_image
from sfd_core.request.recipe import Recipe

LOGIT_MEAN, LOGIT_STD = math.log(2), 1.6
"""Of the times of both losses, ``sigma = sigmoid(N(ln 2, 1.6^2))``. SiD-DiT (arXiv 2509.25127)."""


@dataclass(frozen=True)
class Flow(Parameterization):
    """Networks that predict velocities. ``shift``: of the base model's own times, ``s u / (1 + (s - 1) u)`` with u even
    from 0 to 1. ``train_steps``: what a network's time is at sigma 1. ``even``: the stock pipeline samples at u of 1, 1
    - 1/n, ... 1/n; else at sigmas that are even between the first and the last of its training, shifted once more, as
    the scheduler does by itself.
    """

    shift: float = 1.0
    train_steps: int = 1000
    even: bool = False

    def to(self, device: torch.device | str) -> Flow:
        """Return itself: it holds no tensor."""
        return self

    def signal(self, t: Tensor) -> Tensor:
        """Return ``1 - sigma``."""
        return 1 - t

    def noise(self, t: Tensor) -> Tensor:
        """Return sigma, which the times are."""
        return t

    def network_input(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return x_t and sigma in steps of training, of which there mostly are 1000."""
        return x_t, t * self.train_steps

    def x0_from_output(self, output: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """Return ``x0 = x_t - sigma v``."""
        return x_t - per_image(t, x_t) * output

    def predicted(self, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """Return the velocity, ``(x_t - x0) / sigma``."""
        return (x_t - x0) / per_image(t, x_t)

    def target(self, x0: Tensor, eps: Tensor) -> Tensor:
        """Return the velocity, ``eps - x0``."""
        return eps - x0

    def generator_weight(self, t: Tensor) -> Tensor:
        """Return ``1 - sigma``, which SiD-DiT has in place of ``1 / omega``."""
        return 1 - t

    def start(self, recipe: Recipe) -> float:
        """Return the noise level ``t_init``."""
        return float(recipe.t_init)

    def asked_at(self, recipe: Recipe) -> Sequence[float]:
        """Return ``sigma_i = t_init (1 - i / n)`` of the recipe's n steps. SiD-DiT."""
        return [self.start(recipe) * (1 - i / recipe.steps) for i in range(recipe.steps)]

    def generator_times(self, n: int, recipe: Recipe, rng: torch.Generator) -> Tensor:
        """Draw ``sigma = sigmoid(N(ln 2, 1.6^2))`` as it is distributed between t_min and t_max."""
        ends = torch.tensor([recipe.t_min, recipe.t_max], dtype=torch.float64)
        low, high = torch.special.ndtr((ends.logit() - LOGIT_MEAN) / LOGIT_STD)
        share = low + (high - low) * torch.rand(n, generator=rng, dtype=torch.float64)
        levels = torch.sigmoid(LOGIT_MEAN + LOGIT_STD * torch.special.ndtri(share))
        return levels.float().clamp(recipe.t_min, recipe.t_max)

    def fake_score_times(self, n: int, recipe: Recipe, rng: torch.Generator) -> Tensor:
        """Draw times as the generator's are drawn."""
        return self.generator_times(n, recipe, rng)

    def all_times(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw shares of the whole schedule uniformly, as :meth:`time_at` has them."""
        return self._at(torch.rand(n, generator=rng))

    def time_at(self, share: float) -> float:
        """Return the noise level at this share of the base model's own, shifted times; to three digits."""
        return float(f"{self._at(torch.tensor(share)).item():.3g}")

    def _at(self, share: Tensor) -> Tensor:
        """The noise levels of shares [n], as far as the model was trained at them."""
        return (self.shift * share / (1 + (self.shift - 1) * share)).clamp_min(1 / self.train_steps)

    def one_step_scheduler(self, start: float) -> FlowMatchEulerDiscreteScheduler:
        """Make one step of Euler's from noise alone, ``z - v``, as :meth:`stochastic_scheduler`."""
        return self.stochastic_scheduler(start, 1)

    def stochastic_scheduler(self, start: float, steps: int) -> FlowMatchEulerDiscreteScheduler:
        """Make Euler's scheduler whose steps are the generator's, ``x <- (1 - sigma) x0 + sigma eps`` with fresh eps
        and sigma of 1, 1 - 1/n, ... 1/n. Shifted by nothing they would end at 1/1000: they are stretched to end at 1/n.

        Raises:
            ValueError: for a start with signal: stock pipelines begin with noise alone, at sigma 1.
        """
        if start != 1:
            raise ValueError(f"a generator of a flow-matching model starts at sigma 1, not {start:g}")
        last = None if steps == 1 else 1 / steps
        return FlowMatchEulerDiscreteScheduler(self.train_steps, shift_terminal=last, stochastic_sampling=True)
