"""The scheduler of a published one-step generator, in."""

from __future__ import annotations

from functools import partial
from operator import eq
from pathlib import Path

from diffusers import EulerDiscreteScheduler

from sfd_core.base_model.config_checks import Checked, shown
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.layout import SCHEDULER
from sfd_core.errors import ModelRefused
from sfd_core.families.schedules import load_schedule

_BETAS = ("trained_betas", "beta_schedule", "beta_start", "beta_end")
"""However they are said, the generator's formula is over them."""


def load_one_step_scheduler(folder: Path) -> EulerDiscreteScheduler:
    """Load the scheduler of a generator's folder, if its only step is the generator's formula (docs/adr/0003).

    Raises:
        ModelRefused: naming the file and every field that makes it another step.
    """
    path = folder / SCHEDULER
    config = read_config(path)
    if config.get("_class_name") != EulerDiscreteScheduler.__name__:
        raise ModelRefused(f"{path}: _class_name must be {EulerDiscreteScheduler.__name__!r}")
    schedule = load_schedule(folder)
    checked = Checked(config)
    checked.value("rescale_betas_zero_snr", lambda v: v is False, "be false: there is a start without signal", False)
    checked.refuse(path)
    defaults = EulerDiscreteScheduler().config
    for name, ours in schedule.one_step_scheduler(schedule.steps - 1).config.items():
        if not name.startswith("_") and name not in _BETAS:
            checked.value(name, partial(eq, ours), f"be {shown(ours)} in a one-step generator", defaults[name])
    checked.refuse(path)
    return EulerDiscreteScheduler.from_config(config)


def check_one_step(steps: int) -> None:
    """Refuse a generator of more steps, of a family whose generators make one.

    Raises:
        ValueError: with the number of them.
    """
    if steps != 1:
        raise ValueError(f"generators of this family draw in one step, not in {steps}")


def last_step(scheduler: EulerDiscreteScheduler) -> int:
    """Return the step at which a generator with this scheduler starts: the last that it has."""
    return int(scheduler.config.num_train_timesteps) - 1
