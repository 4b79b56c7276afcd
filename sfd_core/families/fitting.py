"""Whether a network from elsewhere fits a base model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from sfd_core.base_model.config_checks import shown
from sfd_core.base_model.layout import SCHEDULER
from sfd_core.errors import ModelRefused
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.scheduler_config import read_scheduler
from sfd_core.families.schedules import load_schedule

_FORWARD = (
    "num_train_timesteps",
    "trained_betas",
    "beta_schedule",
    "beta_start",
    "beta_end",
    "rescale_betas_zero_snr",
)


def same_shape(folder: Path, network: Any, base: LoadedBase, names: Sequence[str]) -> None:
    """Refuse a network whose configuration differs from the base model's in one of ``names``."""
    for name in names:
        if network.config[name] != base.network.config[name]:
            raise ModelRefused(
                f"{folder}: {name} is {network.config[name]}, the base model's {base.network.config[name]}"
            )


def same_schedule(folder: Path, base: LoadedBase) -> None:
    """Refuse another schedule than the base model's: a network works only over the one that it was trained with. Which
    classes the two schedulers are of does not matter, nor how they come to the same betas.

    Raises:
        ModelRefused: naming the file and what differs; also for a schedule that SFD has no formula for.
    """
    if not (folder / SCHEDULER).is_file():
        return
    theirs, ours = load_schedule(folder), load_schedule(base.model.folder)
    differing = [] if torch.equal(theirs.betas, ours.betas) else list(_FORWARD)
    said, known = read_scheduler(folder), read_scheduler(base.model.folder)
    faults = [
        f"{name} is {shown(getattr(said, name))}, the base model's {shown(getattr(known, name))}"
        for name in (*differing, "prediction_type")
        if getattr(said, name) != getattr(known, name)
    ]
    if faults:
        raise ModelRefused(f"{folder / SCHEDULER}: {'; '.join(faults)}")
