"""Times that a flow-matching network can be asked at. Plain: does not import torch."""

from __future__ import annotations

from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.request.recipe import Recipe

START = 1
"""The generator's, and that of every stock sampler: noise alone (docs/adr/0019)."""


def check_sigmas(recipe: Recipe, model: BaseModel) -> None:
    """Refuse times that are no noise levels of a flow, and a start where no stock pipeline starts.

    Raises:
        InvalidRequest: naming each setting.
    """
    errors = []
    if recipe.t_init != START:
        message = (
            f"must be {START}, noise alone, where the stock pipelines of these models start, not {recipe.t_init:g}"
        )
        errors.append(FieldError("/recipe/t_init", message))
    for name in ("t_min", "t_max"):
        if not 0 < (sigma := getattr(recipe, name)) <= 1:
            errors.append(
                FieldError(f"/recipe/{name}", f"must be a noise level (sigma) above 0, at most 1, not {sigma:g}")
            )
    if errors:
        raise InvalidRequest(tuple(errors))
