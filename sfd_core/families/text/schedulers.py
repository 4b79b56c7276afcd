"""What families of text-to-image models differ in besides their pipelines: how their networks are written, and the
schedulers of diffusers that go with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import EulerDiscreteScheduler
from torch import Tensor

from sfd_core.base_model.configs import read_config
from sfd_core.base_model.layout import SCHEDULER
from sfd_core.families.ddim import ddim
from sfd_core.families.fitting import same_schedule
from sfd_core.families.one_step import check_one_step, last_step, load_one_step_scheduler
from sfd_core.families.parameterization import Parameterization
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.schedules import load_schedule

Ask = Callable[[Tensor, Tensor], Tensor]
"""What a network puts out for its input x [n, C, H, W] at its time t []."""


class Drawing(ABC):
    """The drawing of a generator, by the ``steps`` of a stock scheduler, which is published with it. ``start``: the
    time at which the first asks the network."""

    scheduler: Any
    start: float
    steps: int = 1

    @abstractmethod
    def x0(self, ask: Ask, noise: Sequence[Tensor]) -> Tensor:
        """Return the x0 [n, C, H, W] of unit noise [n, C, H, W], one for each step."""


class OneEulerStep(Drawing):
    """One step of Euler's over the first betas of a base model (docs/adr/0003)."""

    def __init__(self, scheduler: EulerDiscreteScheduler) -> None:
        self.scheduler, self.start = scheduler, last_step(scheduler)

    def x0(self, ask: Ask, noise: Sequence[Tensor]) -> Tensor:
        (z,) = noise
        self.scheduler.set_timesteps(1, device=z.device)
        (t,) = self.scheduler.timesteps
        x = z * self.scheduler.init_noise_sigma
        x0: Tensor = self.scheduler.step(ask(self.scheduler.scale_model_input(x, t), t), t, x).prev_sample
        return x0


@dataclass(frozen=True)
class TextSchedulers:
    """The schedulers of a family. What reads ``scheduler/`` of a folder raises ``ModelRefused``.

    ``load``: the parameterization of a base model. ``drawing``: how a generator draws that starts at a time, in so many
    steps.
    ``load_drawing``: the same of a generator's folder. ``ours``: whether a folder is that of a generator, given the
    base model that it would be of. ``many_steps``: makes the scheduler of the base model's own sampler and sets it to
    so many steps. ``same``: refuses the folder of a network over another schedule than the base model's.
    """

    load: Callable[[Path], Parameterization]
    drawing: Callable[[Parameterization, float, int], Drawing]
    load_drawing: Callable[[Path], Drawing]
    ours: Callable[[Path, LoadedBase], bool]
    many_steps: Callable[[Parameterization, int, torch.device], Any]
    same: Callable[[Path, LoadedBase], None]


def _ends_early(folder: Path, base: LoadedBase) -> bool:
    """One of ours is known by its schedule, which ends where its only step starts."""
    last = read_config(folder / SCHEDULER).get("num_train_timesteps")
    return isinstance(last, int) and last < load_schedule(base.model.folder).steps


def _one_step(schedule: Parameterization, start: float, steps: int) -> OneEulerStep:
    check_one_step(steps)
    return OneEulerStep(schedule.one_step_scheduler(start))


def _ddim(schedule: Parameterization, steps: int, device: torch.device) -> Any:
    scheduler = ddim(schedule)
    scheduler.set_timesteps(steps, device=device)
    return scheduler


OVER_STEPS = TextSchedulers(
    load=load_schedule,
    drawing=_one_step,
    load_drawing=lambda folder: OneEulerStep(load_one_step_scheduler(folder)),
    ours=_ends_early,
    many_steps=_ddim,
    same=same_schedule,
)
"""Of networks over a discrete variance-preserving schedule."""
