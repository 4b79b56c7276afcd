"""The schedulers of diffusers that an EDM network goes with, read and made."""

from __future__ import annotations

import dataclasses
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any

from diffusers import EDMEulerScheduler

from sfd_core.base_model.config_checks import Checked, shown
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.layout import SCHEDULER
from sfd_core.errors import ModelRefused
from sfd_core.families.class_unet.schedulers import Schedulers
from sfd_core.families.edm.parameterization import Edm
from sfd_core.families.edm.scheduler_config import EdmConfig, read_edm_scheduler
from sfd_core.families.parameterization import Parameterization
from sfd_core.families.protocol import LoadedBase

_NETWORKS = ("sigma_data", "prediction_type")
"""What a network is trained with: asked by other values it makes something else."""


def load_levels(folder: Path) -> Edm:
    """Load how the network of a diffusers folder is written: ``scheduler/scheduler_config.json``.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    return Edm(read_edm_scheduler(folder))


def load_one_step(folder: Path) -> tuple[EDMEulerScheduler, float]:
    """Load the scheduler of a generator's folder, if its only step is the generator's formula, and the noise level that
    it starts from.

    Raises:
        ModelRefused: naming the file and every field that makes it another step.
    """
    path = folder / SCHEDULER
    config = read_config(path)
    if config.get("_class_name") != EDMEulerScheduler.__name__:
        raise ModelRefused(f"{path}: _class_name must be {EDMEulerScheduler.__name__!r}")
    levels, checked = load_levels(folder), Checked(config)
    start = levels.config.sigma_max
    defaults = EDMEulerScheduler().config
    for name, ours in levels.one_step_scheduler(start).config.items():
        if not name.startswith("_"):
            checked.value(name, partial(eq, ours), f"be {shown(ours)} in a one-step generator", defaults[name])
    checked.refuse(path)
    return EDMEulerScheduler.from_config(config), start


def many_steps(schedule: Parameterization) -> EDMEulerScheduler:
    """Make Euler's scheduler over the model's own noise levels, spaced as the model says; no noise is added on the way.

    Raises:
        TypeError: for another kind of network.
    """
    if not isinstance(schedule, Edm):
        raise TypeError(f"the noise levels of an Edm are stepped over, which {type(schedule).__name__} does not have")
    return EDMEulerScheduler(**dataclasses.asdict(schedule.config))


def same_preconditioning(folder: Path, base: LoadedBase) -> None:
    """Refuse a network of another preconditioning than the base model's. Over which noise levels it is sampled does not
    matter: it is sampled over the base model's.

    Raises:
        ModelRefused: naming the file and what differs; also for a scheduler that is none of EDM's.
    """
    if not (folder / SCHEDULER).is_file():
        return
    theirs, ours = read_edm_scheduler(folder), read_edm_scheduler(base.model.folder)
    faults = [
        f"{name} is {shown(_of(theirs, name))}, the base model's {shown(_of(ours, name))}"
        for name in _NETWORKS
        if _of(theirs, name) != _of(ours, name)
    ]
    if faults:
        raise ModelRefused(f"{folder / SCHEDULER}: {'; '.join(faults)}")


def _of(config: EdmConfig, name: str) -> Any:
    return getattr(config, name)


OVER_LEVELS = Schedulers(load_levels, load_one_step, many_steps, same_preconditioning)
"""Of networks over continuous noise levels."""
