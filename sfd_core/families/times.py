"""Times that a model's networks can be asked at, from its files alone. Plain: does not import torch."""

from __future__ import annotations

from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import FieldError, InvalidRequest, ModelRefused
from sfd_core.request.recipe import Recipe

SCHEDULER = "scheduler/scheduler_config.json"


def check_steps(recipe: Recipe, model: BaseModel) -> None:
    """Refuse times that are not steps of the model's schedule, where that is known: a hub's model comes with the run.

    Raises:
        InvalidRequest: naming each setting.
    """
    steps = schedule_steps(model)
    errors = []
    for name in ("t_init", "t_min", "t_max"):
        t = getattr(recipe, name)
        if not isinstance(t, int):
            errors.append(FieldError(f"/recipe/{name}", f"must be a whole step of the schedule, not {t}"))
        elif steps is not None and t >= steps:
            message = f"must be 0 to {steps - 1} (the schedule has {steps} timesteps), not {t}"
            errors.append(FieldError(f"/recipe/{name}", message))
    if errors:
        raise InvalidRequest(tuple(errors))


def schedule_steps(model: BaseModel) -> int | None:
    """Say how many steps the schedule among the model's files has. None without one that can be read: loading says
    why."""
    if SCHEDULER not in model.files:
        return None
    try:
        config = read_config(model.folder / SCHEDULER)
    except ModelRefused:
        return None
    trained = config.get("trained_betas")
    steps = len(trained) if isinstance(trained, list) else config.get("num_train_timesteps")
    return steps if isinstance(steps, int) else None
