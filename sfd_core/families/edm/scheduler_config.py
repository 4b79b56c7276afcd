"""What a ``scheduler_config.json`` says of the noise levels that an EDM network knows and of its preconditioning, every
field of it checked. Plain: importing this does not import torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sfd_core.base_model.config_checks import Checked, is_number, shown
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.layout import SCHEDULER
from sfd_core.errors import ModelRefused
from sfd_core.families.scheduler_config import (
    PREDICTION_TYPES,
    PredictionType,
    UnsupportedSchedule,
    one_of,
)

SCHEDULERS = ("EDMEulerScheduler", "EDMDPMSolverMultistepScheduler")
"""The classes of diffusers that precondition as Karras et al. 2022 do, ``ln(sigma) / 4`` their network's time."""
MAX_SIGMA = 10_000.0
SPACINGS = ("karras", "exponential")


@dataclass(frozen=True)
class EdmConfig:
    """A scheduler's configuration as its class reads it: missing fields have the defaults of all these classes.

    ``sigma_min``, ``sigma_max``: the least and the most noise that the network knows. ``sigma_data``: the standard
    deviation of data that it is preconditioned for. ``sigma_schedule``, ``rho``: how a sampler's steps are spaced.
    """

    sigma_min: float = 0.002
    sigma_max: float = 80.0
    sigma_data: float = 0.5
    sigma_schedule: Literal["karras", "exponential"] = "karras"
    rho: float = 7.0
    prediction_type: PredictionType = "epsilon"

    @property
    def sign(self) -> int:
        """The sign of ``c_out``: these schedulers subtract what a network of ``v_prediction`` puts out."""
        return 1 if self.prediction_type == "epsilon" else -1


def read_edm_scheduler(folder: Path) -> EdmConfig:
    """Read ``scheduler/scheduler_config.json`` of a model's folder.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / SCHEDULER
    try:
        return edm_config(read_config(path))
    except UnsupportedSchedule as error:
        raise ModelRefused(f"{path}: {error}") from None


def edm_config(config: Mapping[str, Any]) -> EdmConfig:
    """Read the configuration of an EDM scheduler of diffusers. Fields that choose a solver are not looked at.

    Raises:
        UnsupportedSchedule: for another class than :data:`SCHEDULERS`, and for each field that is wrong.
    """
    if (name := config.get("_class_name")) not in SCHEDULERS:
        raise UnsupportedSchedule(
            f"_class_name is {shown(name)}; the family edm has formulas for {' and '.join(SCHEDULERS)}"
        )
    checked, default = Checked(config), EdmConfig()
    low, high, data = (
        checked.value(field, _is_sigma, f"be a number above 0, at most {MAX_SIGMA:g}", getattr(default, field))
        for field in ("sigma_min", "sigma_max", "sigma_data")
    )
    read = EdmConfig(
        low,
        high,
        data,
        checked.value("sigma_schedule", SPACINGS.__contains__, one_of(SPACINGS, name), default.sigma_schedule),
        checked.positive("rho", default.rho),
        checked.value("prediction_type", PREDICTION_TYPES.__contains__, one_of(PREDICTION_TYPES, "SFD"), "epsilon"),
    )
    if not checked.faults and low >= high:
        checked.faults.append(f"sigma_min is {low:g}, must be below sigma_max, {high:g}")
    if checked.faults:
        raise UnsupportedSchedule("; ".join(checked.faults))
    return read


def _is_sigma(value: object) -> bool:
    return is_number(value) and 0 < value <= MAX_SIGMA and math.isfinite(value)  # type: ignore[operator, arg-type]
