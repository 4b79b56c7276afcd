"""Noise schedules and the conversions between what networks predict.

The forward process is ``x_t = a_t x + b_t eps`` with ``eps ~ N(0, I)``; for DDPM (Ho et al. 2020, eq. 4)
``a_t = sqrt(alpha_bar_t)`` and ``b_t = sqrt(1 - alpha_bar_t)``. The letters are those of the losses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

PredictionType = Literal["epsilon", "v_prediction"]


class UnsupportedSchedule(ValueError):
    """The scheduler's configuration names a schedule or a prediction type that SFD has no formula for."""


@dataclass(frozen=True)
class Schedule:
    """A discrete variance-preserving schedule of T steps, on one device.

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

    def to(self, device: torch.device | str) -> Schedule:
        """The same schedule with ``a`` and ``b`` on ``device``; the betas stay where they are."""
        return Schedule(self.betas, self.a.to(device), self.b.to(device), self.prediction_type)

    def add_noise(self, x: Tensor, eps: Tensor, t: Tensor) -> Tensor:
        """``x_t = a_t x + b_t eps``; x, eps: [B, ...], t: [B] in 0..T-1."""
        return _per_image(self.a, t, x) * x + _per_image(self.b, t, x) * eps

    def x0_from_output(self, output: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """x0 from what the network puts out, by ``prediction_type``.

        eps-prediction: ``x0 = (x_t - b_t eps) / a_t``. v-prediction (Salimans & Ho 2022, app. D), with
        ``v = a_t eps - b_t x0``: ``x0 = a_t x_t - b_t v``.
        """
        a, b = _per_image(self.a, t, x_t), _per_image(self.b, t, x_t)
        if self.prediction_type == "epsilon":
            return (x_t - b * output) / a
        return a * x_t - b * output

    def eps_from_x0(self, x0: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        """``eps = (x_t - a_t x0) / b_t``, whatever the network puts out."""
        return (x_t - _per_image(self.a, t, x_t) * x0) / _per_image(self.b, t, x_t)


def schedule_from_betas(betas: Tensor, prediction_type: PredictionType = "epsilon") -> Schedule:
    """The schedule of given ``betas`` [T]; the products are taken in float64."""
    betas = betas.to(torch.float64)
    alpha_bar = torch.cumprod(1.0 - betas, dim=0)
    return Schedule(betas, alpha_bar.sqrt().float(), (1.0 - alpha_bar).sqrt().float(), prediction_type)


def schedule_from_config(config: Mapping[str, Any]) -> Schedule:
    """The schedule of a diffusers ``scheduler_config.json``.

    Raises:
        UnsupportedSchedule: for a beta schedule other than linear, scaled_linear or trained_betas, or for a
            prediction type other than epsilon or v_prediction.
    """
    prediction_type = config.get("prediction_type", "epsilon")
    if prediction_type not in ("epsilon", "v_prediction"):
        raise UnsupportedSchedule(
            f"prediction_type {prediction_type!r} is not supported: epsilon or v_prediction would be"
        )
    trained = config.get("trained_betas")
    if trained is not None:
        return schedule_from_betas(torch.tensor(trained, dtype=torch.float64), prediction_type)
    kind = config.get("beta_schedule", "linear")
    # diffusers makes its betas in float32; the same here, so that both agree to the last bit.
    start, end, steps = config["beta_start"], config["beta_end"], config["num_train_timesteps"]
    if kind == "linear":
        betas = torch.linspace(start, end, steps, dtype=torch.float32)
    elif kind == "scaled_linear":
        betas = torch.linspace(start**0.5, end**0.5, steps, dtype=torch.float32) ** 2
    else:
        raise UnsupportedSchedule(f"beta_schedule {kind!r} is not supported: linear or scaled_linear would be")
    return schedule_from_betas(betas, prediction_type)


def linear_schedule(steps: int = 1000, start: float = 1e-4, end: float = 0.02) -> Schedule:
    """The linear schedule of DDPM."""
    return schedule_from_betas(torch.linspace(start, end, steps, dtype=torch.float32))


def _per_image(values: Tensor, t: Tensor, like: Tensor) -> Tensor:
    """``values[t]`` shaped [B, 1, ...] to multiply ``like``."""
    return values[t].view(-1, *([1] * (like.ndim - 1)))
