"""Times that a model's networks can be asked at, from its files alone. Plain: does not import torch."""

from __future__ import annotations

from sfd_core.base_model.layout import SCHEDULER
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import FieldError, InvalidRequest, ModelRefused
from sfd_core.families.scheduler_config import SchedulerConfig, read_scheduler
from sfd_core.request.recipe import Recipe


def check_steps(recipe: Recipe, model: BaseModel) -> None:
    """Refuse times that are not steps of the model's schedule, or at which it has no signal, where that is known: a
    hub's model comes with the run.

    Raises:
        InvalidRequest: naming each setting.
    """
    schedule = schedule_of(model)
    errors = []
    for name in ("t_init", "t_min", "t_max"):
        t = getattr(recipe, name)
        if not isinstance(t, int):
            errors.append(FieldError(f"/recipe/{name}", f"must be a whole step of the schedule, not {t}"))
        elif schedule is not None and t > schedule.last_step:
            message = f"must be 0 to {schedule.last_step} ({_why(schedule)}), not {t}"
            errors.append(FieldError(f"/recipe/{name}", message))
    if errors:
        raise InvalidRequest(tuple(errors))


def _why(schedule: SchedulerConfig) -> str:
    """Why there are no further times."""
    steps = f"the schedule has {schedule.num_train_timesteps} timesteps"
    if schedule.rescale_betas_zero_snr:
        return f"{steps}, and by rescale_betas_zero_snr no signal at the last"
    return steps


def schedule_of(model: BaseModel) -> SchedulerConfig | None:
    """Return what the scheduler among the model's files says. None without one that can be read: loading says why."""
    if SCHEDULER not in model.files:
        return None
    try:
        return read_scheduler(model.folder)
    except ModelRefused:
        return None
