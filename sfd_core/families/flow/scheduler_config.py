"""What a ``scheduler_config.json`` says of the times of a flow-matching network, as far as it is trained and sampled
over them. Plain: importing this does not import torch."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfd_core.base_model.config_checks import MAX_NUMBER, Checked, is_number, shown
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.layout import SCHEDULER
from sfd_core.errors import ModelRefused
from sfd_core.families.scheduler_config import MAX_STEPS, UnsupportedSchedule, one_of
from sfd_core.families.stock_schedulers import STEPS

MAX_SHIFT = 1000.0
TIME_SHIFTS = ("exponential", "linear")
_SHIFTS: Mapping[str, str] = {
    "FlowMatchEulerDiscreteScheduler": "shift",
    "FlowMatchHeunDiscreteScheduler": "shift",
    "DPMSolverMultistepScheduler": "flow_shift",
    "UniPCMultistepScheduler": "flow_shift",
}
"""The classes of diffusers that step over ``x_t = (1 - sigma) x0 + sigma eps``, and where each has its shift."""
_EULER = "FlowMatchEulerDiscreteScheduler"


@dataclass(frozen=True)
class FlowConfig:
    """A scheduler's configuration as its class reads it: missing fields have the classes' defaults.

    ``num_train_timesteps``: what a network's time is at sigma 1. ``shift``: of the times, where that is one number;
    where it goes by the size of the picture (``dynamic``), it lies between ``base_shift`` at ``base_image_seq_len``
    tokens of a picture and ``max_shift`` at ``max_image_seq_len``, ``exponential`` or not.
    """

    num_train_timesteps: int = STEPS
    shift: float = 1.0
    dynamic: bool = False
    base_shift: float = 0.5
    max_shift: float = 1.15
    base_image_seq_len: int = 256
    max_image_seq_len: int = 4096
    exponential: bool = True

    def shift_for(self, tokens: int) -> float:
        """Return s of the shifted times ``s u / (1 + (s - 1) u)``, u from 0 to 1, of pictures of so many ``tokens``."""
        if not self.dynamic:
            return self.shift
        slope = (self.max_shift - self.base_shift) / (self.max_image_seq_len - self.base_image_seq_len)
        mu = self.base_shift + slope * (tokens - self.base_image_seq_len)
        if not self.exponential:
            return mu
        return math.exp(mu) if mu < math.log(MAX_SHIFT) + 1 else math.inf


def read_flow_scheduler(folder: Path) -> FlowConfig:
    """Read ``scheduler/scheduler_config.json`` of a model's folder.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / SCHEDULER
    try:
        return flow_config(read_config(path))
    except UnsupportedSchedule as error:
        raise ModelRefused(f"{path}: {error}") from None


def flow_config(config: Mapping[str, Any]) -> FlowConfig:
    """Read the configuration of a flow-matching scheduler of diffusers. Fields that only choose how to sample are not
    looked at.

    Raises:
        UnsupportedSchedule: for another class than those that step over flows, and for each field that is wrong.
    """
    name = config.get("_class_name")
    if not isinstance(name, str) or name not in _SHIFTS:
        known = ", ".join(_SHIFTS)
        raise UnsupportedSchedule(f"_class_name is {shown(name)}; the family flow has formulas for {known}")
    checked, default = Checked(config), FlowConfig()
    steps = checked.whole("num_train_timesteps", 2, MAX_STEPS, default.num_train_timesteps)
    shift = checked.value(_SHIFTS[name], _is_shift, f"be a number above 0, at most {MAX_SHIFT:g}", default.shift)
    read = FlowConfig(steps, shift)
    if checked.flag("use_dynamic_shifting", False) is True:
        read = _dynamic(checked, name, read)
    checked.value("invert_sigmas", lambda v: v is False, "be false: times run from noise to images", False)
    if name != _EULER:
        checked.value("use_dynamic_shifting", lambda v: v is False, f"be false: {name} does it otherwise", False)
    if _SHIFTS[name] == "flow_shift":
        checked.value("use_flow_sigmas", lambda v: v is True, "be true in a flow-matching model", False)
        must = "be 'flow_prediction': the network predicts a velocity"
        checked.value("prediction_type", lambda v: v == "flow_prediction", must, "epsilon")
    if checked.faults:
        raise UnsupportedSchedule("; ".join(checked.faults))
    return read


def _dynamic(checked: Checked, name: str, plain: FlowConfig) -> FlowConfig:
    """The same of a shift that goes by the size of the picture. Of any other the fields are left over, and mean
    nothing."""
    low, high = (
        checked.value(field, _is_mu, "be a number from -10 to 10", getattr(plain, field))
        for field in ("base_shift", "max_shift")
    )
    first, last = (
        checked.whole(field, 1, MAX_NUMBER, getattr(plain, field))
        for field in ("base_image_seq_len", "max_image_seq_len")
    )
    kind = checked.value("time_shift_type", TIME_SHIFTS.__contains__, one_of(TIME_SHIFTS, name), TIME_SHIFTS[0])
    if not checked.faults and first >= last:
        checked.faults.append(f"base_image_seq_len is {first}, must be below max_image_seq_len, {last}")
    return dataclasses.replace(
        plain,
        dynamic=True,
        base_shift=low,
        max_shift=high,
        base_image_seq_len=first,
        max_image_seq_len=last,
        exponential=kind == TIME_SHIFTS[0],
    )


def _is_shift(value: object) -> bool:
    return is_number(value) and 0 < value <= MAX_SHIFT  # type: ignore[operator]  # a number; NaN is not between


def _is_mu(value: object) -> bool:
    return is_number(value) and -10 <= value <= 10  # type: ignore[operator]
