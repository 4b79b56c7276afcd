"""The schedulers of diffusers that a flow-matching network goes with, read and made."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from sfd_core.base_model.config_checks import Checked, shown
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.layout import SCHEDULER
from sfd_core.errors import ModelRefused
from sfd_core.families.flow.parameterization import Flow
from sfd_core.families.flow.pipelines import layout_of
from sfd_core.families.flow.scheduler_config import read_flow_scheduler
from sfd_core.families.parameterization import Parameterization
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.text.schedulers import Ask, Drawing, TextSchedulers

MOST_STEPS = 4
"""Of a generator that a recipe may ask for."""


class FlowDrawing(Drawing):
    """Steps of Euler's from noise alone, with fresh noise between them. The scheduler says that it is stochastic, also
    where one step leaves nothing random: a generator is told from a base model by it."""

    start = 1.0

    def __init__(self, scheduler: FlowMatchEulerDiscreteScheduler, steps: int) -> None:
        self.scheduler, self.steps = scheduler, steps

    def x0(self, ask: Ask, noise: Sequence[Tensor]) -> Tensor:
        x, *fresh = noise
        self.scheduler.set_timesteps(self.steps, device=x.device)
        sigmas = self.scheduler.sigmas
        for i, t in enumerate(self.scheduler.timesteps):
            x0: Tensor = x - sigmas[i] * ask(x, t)
            # What the scheduler does itself, of noise that it draws where nobody can say which.
            x = (1 - sigmas[i + 1]) * x0 + sigmas[i + 1] * fresh[i] if i < len(fresh) else x0
        return x


def load_flow(folder: Path) -> Flow:
    """Load how the network of a pipeline's folder is written.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    config, layout = read_flow_scheduler(folder), layout_of(folder)
    return Flow(config.shift_for(layout.tokens(folder)), config.num_train_timesteps, layout.even)


def load_drawing(folder: Path) -> FlowDrawing:
    """Load the scheduler of a generator's folder, if its steps are the generator's formula.

    Raises:
        ModelRefused: naming the file and every field that makes them others.
    """
    path = folder / SCHEDULER
    config = read_config(path)
    if config.get("_class_name") != FlowMatchEulerDiscreteScheduler.__name__:
        raise ModelRefused(f"{path}: _class_name must be {FlowMatchEulerDiscreteScheduler.__name__!r}")
    train_steps, checked = read_flow_scheduler(folder).num_train_timesteps, Checked(config)
    terminals = [None, *(1 / n for n in range(2, MOST_STEPS + 1))]
    must = f"be null, or 1/n of a generator of n steps, at most {MOST_STEPS}"
    last = checked.value("shift_terminal", terminals.__contains__, must, None)
    checked.refuse(path)
    steps, defaults = terminals.index(last) + 1, FlowMatchEulerDiscreteScheduler().config
    for name, ours in Flow(train_steps=train_steps).stochastic_scheduler(1, steps).config.items():
        if not name.startswith("_"):
            checked.value(name, partial(eq, ours), f"be {shown(ours)} in a generator", defaults[name])
    checked.refuse(path)
    return FlowDrawing(FlowMatchEulerDiscreteScheduler.from_config(config), steps)


def _drawing(schedule: Parameterization, start: float, steps: int) -> FlowDrawing:
    assert isinstance(schedule, Flow)  # as load_flow made it
    return FlowDrawing(schedule.stochastic_scheduler(start, steps), steps)


def _ours(folder: Path, base: LoadedBase) -> bool:
    return read_config(folder / SCHEDULER).get("stochastic_sampling") is True


def _many_steps(schedule: Parameterization, steps: int, device: torch.device) -> Any:
    """Euler's scheduler over the model's own times, spaced as its pipeline has them."""
    assert isinstance(schedule, Flow)  # as load_flow made it
    scheduler = FlowMatchEulerDiscreteScheduler(schedule.train_steps, schedule.shift)
    if schedule.even:
        scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps).tolist(), device=device)
    else:
        scheduler.set_timesteps(steps, device=device)
    return scheduler


def _same(folder: Path, base: LoadedBase) -> None:
    """Refuse a network of other times than the base model's. Which way these are shifted does not matter: it is
    sampled over the base model's."""
    theirs, ours = (read_flow_scheduler(at).num_train_timesteps for at in (folder, base.model.folder))
    if theirs != ours:
        raise ModelRefused(f"{folder / SCHEDULER}: num_train_timesteps is {theirs}, the base model's {ours}")


OVER_FLOWS = TextSchedulers(load_flow, _drawing, load_drawing, _ours, _many_steps, _same)
"""Of networks that predict velocities."""
