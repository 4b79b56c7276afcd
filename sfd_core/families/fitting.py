"""Whether a network from elsewhere fits a base model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sfd_core.base_model.configs import read_config
from sfd_core.errors import ModelRefused
from sfd_core.families.protocol import LoadedBase


def same_shape(folder: Path, network: Any, base: LoadedBase, names: Sequence[str]) -> None:
    """Refuse a network whose configuration differs from the base model's in one of ``names``."""
    for name in names:
        if network.config[name] != base.network.config[name]:
            raise ModelRefused(
                f"{folder}: {name} is {network.config[name]}, the base model's {base.network.config[name]}"
            )


def same_schedule(folder: Path, base: LoadedBase) -> None:
    """Refuse another schedule than the base model's: a network works only over the one that it was trained with."""
    path = folder / "scheduler" / "scheduler_config.json"
    if not path.is_file():
        return
    theirs, ours = read_config(path), read_config(base.model.folder / "scheduler" / "scheduler_config.json")
    for name in ("trained_betas", "beta_schedule", "beta_start", "beta_end", "num_train_timesteps", "prediction_type"):
        if name in theirs and theirs[name] != ours.get(name, theirs[name]):
            raise ModelRefused(f"{path}: {name} is {theirs[name]}, the base model's {ours.get(name)}")
