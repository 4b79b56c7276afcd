"""EDM's preconditioning (Karras et al. 2022, arXiv 2206.00364, table 1), as ``EDMEulerScheduler`` of diffusers has it.

Times are noise levels: ``t`` is sigma itself, a continuous number, and ``x_t = x + sigma eps``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers import EDMEulerScheduler
from torch import Tensor

from sfd_core.families.edm.scheduler_config import EdmConfig
from sfd_core.families.parameterization import Parameterization, per_image
from sfd_core.request.recipe import Recipe

RHO = 7.0
"""Times of the generator's loss are uniform in ``sigma^(1/rho)``. SiD (arXiv 2404.04057); Karras et al., eq. 5."""
P_MEAN, P_STD = -1.2, 1.2
"""``ln sigma`` of the fake score's loss is normal, with these. SiD; Karras et al., table 1."""
BETA_D, BETA_MIN = 19.9, 0.1
"""Of DDPM's linear schedule in continuous time. Song et al. 2021 (arXiv 2011.13456)."""


@dataclass(frozen=True)
class Edm(Parameterization):
    """Networks over all noise levels, preconditioned for data of standard deviation ``config.sigma_data``:
    ``a = 1``, ``b = sigma``."""

    config: EdmConfig

    def to(self, device: torch.device | str) -> Edm:
        """Return itself: it holds no tensor."""
        return self

    def signal(self, t: Tensor) -> Tensor:
        """Return 1: an image is never weakened."""
        return torch.ones_like(t)

    def noise(self, t: Tensor) -> Tensor:
        """Return sigma, which the times are."""
        return t

    def network_input(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return ``c_in x_t`` and ``c_noise``: ``x_t / sqrt(sigma^2 + sd^2)`` and ``ln(sigma) / 4``."""
        return x_t / per_image(self._spread(t), x_t), t.log() / 4

    def x0_from_output(self, output: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """Return ``x0 = c_skip x_t + c_out F``, with ``c_skip = sd^2 / (sigma^2 + sd^2)`` and ``c_out = sigma sd /
        sqrt(sigma^2 + sd^2)``, which has the other sign where the network predicts v."""
        sd, spread = self.config.sigma_data, self._spread(t)
        skip, out = (sd / spread).square(), self.config.sign * sd * t / spread
        return per_image(skip, x_t) * x_t + per_image(out, x_t) * output

    def start(self, recipe: Recipe) -> float:
        """Return the noise level ``t_init``."""
        return float(recipe.t_init)

    def generator_times(self, n: int, recipe: Recipe, rng: torch.Generator) -> Tensor:
        """Draw from t_min to t_max, uniformly in ``sigma^(1/7)``."""
        return between(recipe.t_min, recipe.t_max, torch.rand(n, generator=rng))

    def fake_score_times(self, n: int, recipe: Recipe, rng: torch.Generator) -> Tensor:
        """Draw as EDM networks are trained: ``ln sigma`` from N(-1.2, 1.2^2)."""
        return (P_MEAN + P_STD * torch.randn(n, generator=rng)).exp()

    def error_weight(self, t: Tensor) -> Tensor:
        """Return ``(sigma^2 + sd^2) / sd^2``: with it the error in eps is that in x0 times EDM's weight, ``(sigma^2 +
        sd^2) / (sigma sd)^2``."""
        return (self._spread(t) / self.config.sigma_data).square()

    def all_times(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw shares of the whole schedule uniformly, as :meth:`time_at` has them."""
        return self._at(torch.rand(n, generator=rng))

    def time_at(self, share: float) -> float:
        """Return the noise level that has the signal of this share of DDPM's linear schedule, so that levels of either
        kind are alike; to three digits."""
        return float(f"{self._at(torch.tensor(share)).item():.3g}")

    def _at(self, share: Tensor) -> Tensor:
        """The noise levels of shares [n] of the linear schedule, ``sqrt(exp(9.95 s^2 + 0.1 s) - 1)`` (Karras et al.,
        table 1, VP), as far as this model has them."""
        level = (BETA_D / 2 * share.square() + BETA_MIN * share).expm1().sqrt()
        return level.clamp(self.config.sigma_min, self.config.sigma_max)

    def one_step_scheduler(self, start: float) -> EDMEulerScheduler:
        """Make one step of Euler's from ``start`` to 0. A pipeline starts from the noise of its first step,
        ``sigmas[0]``: its ``init_noise_sigma`` is ``sqrt(start^2 + 1)``, 7.7 % too noisy at 2.5."""
        return EDMEulerScheduler(
            sigma_min=self.config.sigma_min,
            sigma_max=start,
            sigma_data=self.config.sigma_data,
            prediction_type=self.config.prediction_type,
        )

    def _spread(self, t: Tensor) -> Tensor:
        """The standard deviation of x_t: [B]."""
        return (t.square() + self.config.sigma_data**2).sqrt()


def between(low: float, high: float, u: Tensor) -> Tensor:
    """Return the noise levels at shares ``u`` [n] of the way from ``low`` to ``high``, as ``sigma^(1/7)`` counts."""
    first, last = low ** (1 / RHO), high ** (1 / RHO)
    levels: Tensor = (first + u * (last - first)) ** RHO
    return levels
