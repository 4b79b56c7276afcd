"""What differs between families of models, for the loop: how a network is asked, and which conditions there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from sfd_core.families.class_unet.network import ClassUnetScore
from sfd_core.families.device import pick_dtype
from sfd_core.families.loading import LoadedBase
from sfd_core.families.protocol import Score
from sfd_core.families.stable_diffusion.network import StableDiffusionScore
from sfd_core.families.stable_diffusion.prompt_table import EMPTY, PromptTable
from sfd_core.prompts.plan import PromptPlan
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.training.conditions import ConditionSampler


@dataclass(frozen=True)
class Prepared:
    """``score``: makes a score of a network. ``forgetting``, ``distilling``: the conditions of a step of either stage.
    ``dropped``: what a condition becomes that is dropped; None where none may be. ``plan``: a text-to-image model's
    prompts."""

    score: Callable[[nn.Module], Score]
    forgetting: ConditionSampler
    distilling: ConditionSampler
    dropped: int | None = None
    plan: PromptPlan | None = None


def prepare(base: LoadedBase, request: UnlearningRequest, plan: PromptPlan | None, device: torch.device) -> Prepared:
    """What the loop needs to know of ``base``. A text-to-image model's prompts are all encoded here, once.
    ``plan``: these, as admission made them.

    Raises:
        ValueError: without a plan, of a text-to-image model.
    """
    return _FAMILIES[base.model.family](base, request, plan, device)


def _class_unet(
    base: LoadedBase, request: UnlearningRequest, plan: PromptPlan | None, device: torch.device
) -> Prepared:
    recipe, concepts = request.recipe, base.model.concepts
    schedule, dtype = base.schedule.to(device), pick_dtype(recipe.precision, device)
    return Prepared(
        lambda unet: ClassUnetScore(unet, schedule, dtype=dtype, compiled=recipe.compile),
        ConditionSampler.of_classes(request.forget, concepts, recipe, device),
        ConditionSampler.of_classes((), concepts, recipe, device),
    )


def _stable_diffusion(
    base: LoadedBase, request: UnlearningRequest, plan: PromptPlan | None, device: torch.device
) -> Prepared:
    if plan is None:
        raise ValueError(f"{base.model.name} is asked by prompts: hand on the plan that admission made of them")
    recipe = request.recipe
    schedule, dtype = base.schedule.to(device), pick_dtype(recipe.precision, device)
    table = PromptTable(plan.conditions(), base.parts(), dtype)
    rows = table.rows
    remaining = [rows[condition] for condition in plan.remaining()]
    forgotten = [[rows[asked.condition] for asked in item] for item in plan.forgotten]
    overrides: dict[int, Sequence[int]] = {
        rows[asked.condition]: [rows[o] for o in asked.overrides] for item in plan.forgotten for asked in item
    }
    return Prepared(
        lambda unet: StableDiffusionScore(unet, schedule, table, dtype=dtype, compiled=recipe.compile),
        ConditionSampler(forgotten, remaining, overrides, recipe, device),
        ConditionSampler((), [*remaining, *overrides], {}, recipe, device),
        EMPTY,
        plan,
    )


_FAMILIES: Mapping[str, Callable[[LoadedBase, UnlearningRequest, PromptPlan | None, torch.device], Prepared]] = {
    "class_unet": _class_unet,
    "stable_diffusion": _stable_diffusion,
}
