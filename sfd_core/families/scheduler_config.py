"""What a ``scheduler_config.json`` says of the schedule that a network was trained over, every field of it checked.
Plain: importing this does not import torch. :mod:`sfd_core.families.schedules` makes the schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from sfd_core.base_model.config_checks import Checked, is_number, shown
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.layout import SCHEDULER
from sfd_core.errors import ModelRefused
from sfd_core.families.stock_schedulers import (
    PREDICTION_TYPE,
    STEPS,
    STOCK_SCHEDULERS,
    StockScheduler,
    kind_without_formula,
)

MAX_STEPS = 100_000
PredictionType = Literal["epsilon", "v_prediction"]
PREDICTION_TYPES: tuple[str, ...] = get_args(PredictionType)


class UnsupportedSchedule(ValueError):
    """A scheduler's configuration that SFD has no formula for, or that says nothing that a schedule could be made of;
    the message has every fault of it."""


@dataclass(frozen=True)
class SchedulerConfig:
    """A scheduler's configuration as its class reads it, but for what concerns sampling alone: missing fields have the
    class's own defaults. ``scheduler``: the class; the other names are
    those of the file."""

    scheduler: str
    num_train_timesteps: int
    beta_schedule: str
    beta_start: float
    beta_end: float
    trained_betas: tuple[float, ...] | None
    rescale_betas_zero_snr: bool
    prediction_type: PredictionType

    @property
    def stock(self) -> StockScheduler:
        """What its class is."""
        return STOCK_SCHEDULERS[self.scheduler]

    @property
    def last_step(self) -> int:
        """The last step at which there is signal: of rescaled betas the last but one (Lin et al. 2023, arXiv
        2305.08891)."""
        return self.num_train_timesteps - (2 if self.rescale_betas_zero_snr else 1)


def read_scheduler(folder: Path) -> SchedulerConfig:
    """Read ``scheduler/scheduler_config.json`` of a model's folder.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / SCHEDULER
    try:
        return scheduler_config(read_config(path))
    except UnsupportedSchedule as error:
        raise ModelRefused(f"{path}: {error}") from None


def scheduler_config(config: Mapping[str, Any]) -> SchedulerConfig:
    """Read the configuration of a scheduler of diffusers. Fields that only choose how to sample are not looked at.

    Raises:
        UnsupportedSchedule: for another class than those of :data:`STOCK_SCHEDULERS`, and for each field that is wrong
            or that asks for a forward process without a formula.
    """
    name = config.get("_class_name")
    stock = STOCK_SCHEDULERS.get(name) if isinstance(name, str) else None
    if not isinstance(name, str) or stock is None:
        kind = f" ({kind_without_formula(name)})" if isinstance(name, str) else ""
        raise UnsupportedSchedule(
            f"_class_name is {shown(name)}{kind}; SFD has formulas for {', '.join(STOCK_SCHEDULERS)}"
        )
    checked = Checked(config)
    read = SchedulerConfig(
        name,
        checked.whole("num_train_timesteps", 2, MAX_STEPS, STEPS),
        checked.value(
            "beta_schedule", stock.schedules.__contains__, one_of(stock.schedules, name), stock.beta_schedule
        ),
        checked.value("beta_start", _is_beta, "be a number above 0 and below 1", stock.beta_start),
        checked.value("beta_end", _is_beta, "be a number above 0 and below 1", stock.beta_end),
        _trained_betas(checked),
        checked.flag("rescale_betas_zero_snr", False),
        checked.value(
            "prediction_type", PREDICTION_TYPES.__contains__, one_of(PREDICTION_TYPES, "SFD"), PREDICTION_TYPE
        ),
    )
    _check_forward_process(checked, name)
    if not checked.faults:
        _check_together(checked, read)
    if checked.faults:
        raise UnsupportedSchedule("; ".join(checked.faults))
    return read


def _trained_betas(checked: Checked) -> tuple[float, ...] | None:
    """Betas that the file itself lists."""
    must = "be null or a list of numbers above 0 and below 1"
    betas = checked.value(
        "trained_betas", lambda v: v is None or (isinstance(v, list) and all(map(_is_beta, v))), must, None
    )
    return tuple(betas) if isinstance(betas, list) else None


def _check_forward_process(checked: Checked, name: str) -> None:
    """Fields by which a class leaves the discrete variance-preserving process, or gives its network another time."""
    checked.value("use_flow_sigmas", lambda v: v is False, "be false: flow matching has another forward process", False)
    checked.value("timestep_type", lambda v: v == "discrete", "be 'discrete': networks are asked at steps", "discrete")
    checked.value(
        "variance_type",
        lambda v: not isinstance(v, str) or not v.startswith("learned"),
        "be a fixed one: no variance that a network puts out is read",
        None,
    )
    if not STOCK_SCHEDULERS[name].rescales:
        checked.value("rescale_betas_zero_snr", lambda v: v is not True, f"be false: {name} does not know it", False)


def _check_together(checked: Checked, read: SchedulerConfig) -> None:
    """What is right by itself, and wrong beside another field."""
    steps = read.num_train_timesteps
    if read.trained_betas is not None and len(read.trained_betas) != steps:
        checked.faults.append(f"trained_betas has {len(read.trained_betas)} numbers, num_train_timesteps is {steps}")
    if read.beta_start > read.beta_end:
        checked.faults.append(f"beta_start is {read.beta_start}, must be at most beta_end, {read.beta_end}")
    if read.rescale_betas_zero_snr and read.prediction_type != "v_prediction":
        checked.faults.append(
            f"prediction_type is {read.prediction_type!r}, must be 'v_prediction' where rescale_betas_zero_snr is "
            "true: the last step has no signal, and its noise says nothing of the image"
        )


def _is_beta(value: object) -> bool:
    return is_number(value) and 0 < value < 1  # type: ignore[operator]  # a number; NaN is not between


def one_of(names: tuple[str, ...], knows: str) -> str:
    return f"be {', '.join(names[:-1])} or {names[-1]}, which {knows} has"
