"""The schedule that a scheduler of diffusers trains over, from its configuration: betas equal to the stock class's to
the last bit, by diffusers' own functions where it has them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.schedulers.scheduling_ddpm import betas_for_alpha_bar, rescale_zero_terminal_snr
from torch import Tensor

from sfd_core.base_model.layout import SCHEDULER
from sfd_core.errors import ModelRefused
from sfd_core.families.parameterization import VariancePreserving, schedule_from_betas
from sfd_core.families.scheduler_config import (
    SchedulerConfig,
    UnsupportedSchedule,
    read_scheduler,
    scheduler_config,
)

# diffusers makes its betas in float32; the same here, so that both agree to the last bit.
_BETAS: Mapping[str, Callable[[float, float, int], Tensor]] = {
    "linear": lambda start, end, steps: torch.linspace(start, end, steps, dtype=torch.float32),
    "scaled_linear": lambda start, end, steps: torch.linspace(start**0.5, end**0.5, steps, dtype=torch.float32) ** 2,
    "sigmoid": lambda start, end, steps: (
        torch.sigmoid(torch.linspace(-6, 6, steps, dtype=torch.float32)) * (end - start) + start
    ),
    "squaredcos_cap_v2": lambda start, end, steps: betas_for_alpha_bar(steps),
    "laplace": lambda start, end, steps: betas_for_alpha_bar(steps, alpha_transform_type="laplace"),
    "exp": lambda start, end, steps: betas_for_alpha_bar(steps, alpha_transform_type="exp"),
}


def load_schedule(folder: Path) -> VariancePreserving:
    """Load the schedule of a diffusers folder: ``scheduler/scheduler_config.json``.

    Raises:
        ModelRefused: for one that SFD has no formula for, naming every field that is wrong.
    """
    config = read_scheduler(folder)
    try:
        return make_schedule(config)
    except UnsupportedSchedule as error:
        raise ModelRefused(f"{folder / SCHEDULER}: {error}") from None


def schedule_from_config(config: Mapping[str, Any]) -> VariancePreserving:
    """Make the schedule of a diffusers ``scheduler_config.json``.

    Raises:
        UnsupportedSchedule: as :func:`sfd_core.families.scheduler_config.scheduler_config` and :func:`make_schedule`.
    """
    return make_schedule(scheduler_config(config))


def make_schedule(config: SchedulerConfig) -> VariancePreserving:
    """Make the schedule that the stock class has for this configuration.

    Raises:
        UnsupportedSchedule: for betas that leave no signal before the last step, or no noise, as far as float32 tells.
    """
    betas = betas_of(config)
    if config.rescale_betas_zero_snr:
        betas = rescale_zero_terminal_snr(betas)
    schedule = schedule_from_betas(betas, config.prediction_type)
    if config.rescale_betas_zero_snr:
        schedule = _with_last(schedule, config.stock.last_alpha_bar)
    # NaN is above nothing. Stock schedulers keep alpha_bar in float32, in which one step of theirs must be ours.
    fits = (schedule.a.square() >= torch.finfo(torch.float32).tiny) & (schedule.b > 0)
    if not bool(fits[: config.last_step + 1].all()):
        step = int(fits.int().argmin())
        raise UnsupportedSchedule(f"its betas leave no signal, or no noise, at step {step} of {schedule.steps}")
    return schedule


def betas_of(config: SchedulerConfig) -> Tensor:
    """Return the betas before they are rescaled: [T] float32."""
    if config.trained_betas is not None:
        return torch.tensor(config.trained_betas, dtype=torch.float32)
    return _BETAS[config.beta_schedule](config.beta_start, config.beta_end, config.num_train_timesteps)


def _with_last(schedule: VariancePreserving, alpha_bar: float) -> VariancePreserving:
    """The same schedule with this much signal at its last step."""
    a, b = schedule.a.clone(), schedule.b.clone()
    a[-1], b[-1] = alpha_bar**0.5, (1 - alpha_bar) ** 0.5
    return dataclasses.replace(schedule, a=a, b=b)
