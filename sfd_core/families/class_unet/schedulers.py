"""What families of class-conditional U-Nets differ in: how their networks are written, and the schedulers of diffusers
that go with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfd_core.families.ddim import ddim
from sfd_core.families.fitting import same_schedule
from sfd_core.families.one_step import last_step, load_one_step_scheduler
from sfd_core.families.parameterization import Parameterization
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.schedules import load_schedule


@dataclass(frozen=True)
class Schedulers:
    """The schedulers of a family: how it reads ``scheduler/`` of a folder, and samples. What reads raises
    ``ModelRefused``.

    ``load``: the parameterization of a base model. ``load_one_step``: the scheduler of a generator, and the time at
    which it starts. ``many_steps``: makes the scheduler of the base model's own sampler. ``same``: refuses the folder
    of a network over another schedule than the base model's.
    """

    load: Callable[[Path], Parameterization]
    load_one_step: Callable[[Path], tuple[Any, float]]
    many_steps: Callable[[Parameterization], Any]
    same: Callable[[Path, LoadedBase], None]


def _load_one_step(folder: Path) -> tuple[Any, int]:
    scheduler = load_one_step_scheduler(folder)
    return scheduler, last_step(scheduler)


OVER_STEPS = Schedulers(load_schedule, _load_one_step, ddim, same_schedule)
"""Of networks over a discrete variance-preserving schedule."""
