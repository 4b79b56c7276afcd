"""Noise levels that an EDM network can be asked at, from its model's files alone. Plain: does not import torch."""

from __future__ import annotations

from sfd_core.base_model.layout import SCHEDULER
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import FieldError, InvalidRequest, ModelRefused
from sfd_core.families.edm.scheduler_config import EdmConfig, read_edm_scheduler
from sfd_core.request.recipe import Recipe


def check_levels(recipe: Recipe, model: BaseModel) -> None:
    """Refuse times that are no noise levels of the model, where these are known: without a scheduler that can be read,
    loading says why.

    Raises:
        InvalidRequest: naming each setting.
    """
    if SCHEDULER not in model.files:
        return
    try:
        levels = read_edm_scheduler(model.folder)
    except ModelRefused:
        return
    errors = [
        FieldError(f"/recipe/{name}", f"must be a noise level (sigma), {_which(name, levels)}, not {sigma:g}")
        for name in ("t_init", "t_min", "t_max")
        if not _is_level(name, sigma := getattr(recipe, name), levels)
    ]
    if errors:
        raise InvalidRequest(tuple(errors))


def _is_level(name: str, sigma: float, levels: EdmConfig) -> bool:
    """A step starts above the level at which it ends."""
    above = levels.sigma_min < sigma if name == "t_init" else levels.sigma_min <= sigma
    return above and sigma <= levels.sigma_max


def _which(name: str, levels: EdmConfig) -> str:
    low = f"above {levels.sigma_min:g} and at most" if name == "t_init" else f"from {levels.sigma_min:g} to"
    return f"{low} {levels.sigma_max:g}"
