"""How a kind of network is written: signal and noise levels, what it is given, what it puts out, and at which times it
is trained. One table for all of them; the losses and the loop know nothing else of a network.

The forward process is ``x_t = a_t x + b_t eps`` with ``eps ~ N(0, I)``. The letters are those of the losses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from diffusers import EulerDiscreteScheduler
from torch import Tensor

from sfd_core.families.scheduler_config import PredictionType
from sfd_core.request.recipe import Recipe


class Parameterization(ABC):
    """One kind of network. Times ``t`` are [B], whole steps or continuous, as the kind has them."""

    @abstractmethod
    def signal(self, t: Tensor) -> Tensor:
        """Return ``a_t``: [B]."""

    @abstractmethod
    def noise(self, t: Tensor) -> Tensor:
        """Return ``b_t``: [B]."""

    def network_input(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the network is given for x_t [B, ...] at t [B]: its input and its time."""
        return x_t, t

    @abstractmethod
    def x0_from_output(self, output: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """Return x0 [B, ...] from what the network put out for x_t at t."""

    @abstractmethod
    def start(self, recipe: Recipe) -> float:
        """Return the time at which the generator asks its network: ``t_init``."""

    def asked_at(self, recipe: Recipe) -> Sequence[float]:
        """Return the times at which the generator asks its network for one image: of the step that it makes."""
        return (self.start(recipe),)

    @abstractmethod
    def generator_times(self, n: int, recipe: Recipe, rng: torch.Generator) -> Tensor:
        """Draw times of the generator's loss, on the CPU: [n]."""

    @abstractmethod
    def fake_score_times(self, n: int, recipe: Recipe, rng: torch.Generator) -> Tensor:
        """Draw times of the fake score's loss, on the CPU: [n]."""

    @abstractmethod
    def all_times(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw times from the whole schedule, for ``L_deep``, on the CPU: [n]."""

    @abstractmethod
    def time_at(self, share: float) -> float:
        """Return the time at this share of the whole schedule: at 0 there is no noise, at 1 hardly any signal."""

    def signal_left(self, t: Tensor) -> Tensor:
        """Return ``a / sqrt(a^2 + b^2)``, how much of x_t at t is signal, whatever the kind: from 1, the clean image,
        to 0, noise alone: [B]."""
        a, b = self.signal(t), self.noise(t)
        return a / (a.square() + b.square()).sqrt()

    def error_weight(self, t: Tensor) -> Tensor:
        """Return what the squared error in :meth:`predicted` counts at t, in the fake score's loss and in ``L_deep``:
        [B]. A kind that is trained on a multiple of that error says here what makes the two equal."""
        return torch.ones_like(t, dtype=torch.float32)

    def predicted(self, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """Return what a network is trained to predict, of the x0 that it made of x_t at t: the error in it counts in
        the fake score's loss and in ``L_deep``. eps, where a kind says nothing else."""
        return self.eps_from_x0(x0, x_t, t)

    def target(self, x0: Tensor, eps: Tensor) -> Tensor:
        """Return the same of the x0 and the eps that x_t was made of."""
        return eps

    def generator_weight(self, t: Tensor) -> Tensor | None:
        """Return what an image counts in the generator's loss at t, [B]; None where that is ``1 / omega``."""
        return None

    @abstractmethod
    def one_step_scheduler(self, start: float) -> Any:
        """Make the stock scheduler of diffusers whose only step is the generator's formula (docs/adr/0003)."""

    @abstractmethod
    def to(self, device: torch.device | str) -> Self:
        """Return the same with what it holds on ``device``."""

    def add_noise(self, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """Compute ``x_t = a_t x + b_t eps``; x, eps: [B, ...], t: [B]."""
        return per_image(self.signal(t), x) * x + per_image(self.noise(t), x) * eps

    def eps_from_x0(self, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """Compute ``eps = (x_t - a_t x0) / b_t``, whatever the network puts out."""
        return (x_t - per_image(self.signal(t), x_t) * x0) / per_image(self.noise(t), x_t)

    def pure_noise(self, z: Tensor, t: Tensor) -> Tensor:
        """Compute ``b_t z``: where the generator starts from unit noise z [B, ...]."""
        return per_image(self.noise(t), z) * z


@dataclass(frozen=True)
class VariancePreserving(Parameterization):
    """A discrete variance-preserving schedule of T steps, on one device; for DDPM (Ho et al. 2020, eq. 4)
    ``a_t = sqrt(alpha_bar_t)`` and ``b_t = sqrt(1 - alpha_bar_t)``.

    ``betas``: [T] float64, as the base model's scheduler has them. ``a``, ``b``: [T] float32.
    """

    betas: Tensor
    a: Tensor
    b: Tensor
    prediction_type: PredictionType = "epsilon"

    @property
    def steps(self) -> int:
        """T, the number of diffusion steps."""
        return len(self.betas)

    def to(self, device: torch.device | str) -> VariancePreserving:
        """Return the same schedule with ``a`` and ``b`` on ``device``; the betas stay where they are."""
        return VariancePreserving(self.betas, self.a.to(device), self.b.to(device), self.prediction_type)

    def signal(self, t: Tensor) -> Tensor:
        """Return ``a_t`` at steps t: [B]."""
        return self.a[t]

    def noise(self, t: Tensor) -> Tensor:
        """Return ``b_t`` at steps t: [B]."""
        return self.b[t]

    def x0_from_output(self, output: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """Return x0 from what the network puts out, by ``prediction_type``.

        eps-prediction: ``x0 = (x_t - b_t eps) / a_t``. v-prediction (Salimans & Ho 2022, app. D), with
        ``v = a_t eps - b_t x0``: ``x0 = a_t x_t - b_t v``.
        """
        a, b = per_image(self.a[t], x_t), per_image(self.b[t], x_t)
        if self.prediction_type == "epsilon":
            return (x_t - b * output) / a
        return a * x_t - b * output

    def start(self, recipe: Recipe) -> int:
        """Return the step ``t_init``."""
        return int(recipe.t_init)

    def generator_times(self, n: int, recipe: Recipe, rng: torch.Generator) -> Tensor:
        """Draw uniformly from t_min..t_max, both included."""
        return torch.randint(int(recipe.t_min), int(recipe.t_max) + 1, (n,), generator=rng)

    def fake_score_times(self, n: int, recipe: Recipe, rng: torch.Generator) -> Tensor:
        """Draw times as the generator's are drawn."""
        return self.generator_times(n, recipe, rng)

    def all_times(self, n: int, rng: torch.Generator) -> Tensor:
        """Draw uniformly from every step."""
        return torch.randint(self.steps, (n,), generator=rng)

    def time_at(self, share: float) -> int:
        """Return the step at this share of all steps."""
        return round(share * self.steps)

    def signal_left(self, t: Tensor) -> Tensor:
        """Return ``a_t``: ``a^2 + b^2`` is 1."""
        return self.signal(t)

    def one_step_scheduler(self, start: float) -> EulerDiscreteScheduler:
        """Make one step of Euler's over the first ``start + 1`` betas: its initial noise is ``sigma z``, its scaled
        input ``b z``, its only step gives x0. Rescaled betas are handed over as they are.

        Raises:
            ValueError: for the last step of a schedule that has no signal there: its sigma is infinite.
        """
        steps = int(start) + 1
        if self.betas[int(start)] >= 1:
            raise ValueError(f"step {int(start)} of {self.steps} has no signal: a generator must start before it")
        return EulerDiscreteScheduler(
            num_train_timesteps=steps,
            trained_betas=self.betas[:steps].tolist(),
            timestep_spacing="trailing",
            steps_offset=1,
            prediction_type=self.prediction_type,
        )


def schedule_from_betas(betas: Tensor, prediction_type: PredictionType = "epsilon") -> VariancePreserving:
    """Make the schedule of given ``betas`` [T]; the products are taken in float64."""
    betas = betas.to(torch.float64)
    alpha_bar = torch.cumprod(1.0 - betas, dim=0)
    return VariancePreserving(betas, alpha_bar.sqrt().float(), (1.0 - alpha_bar).sqrt().float(), prediction_type)


def linear_schedule(steps: int = 1000, start: float = 1e-4, end: float = 0.02) -> VariancePreserving:
    """Make the linear schedule of DDPM."""
    return schedule_from_betas(torch.linspace(start, end, steps, dtype=torch.float32))


def per_image(values: Tensor, like: Tensor) -> Tensor:
    """Shape ``values`` [B] as [B, 1, ...], to multiply ``like`` [B, ...]."""
    return values.view(-1, *([1] * (like.ndim - 1)))
