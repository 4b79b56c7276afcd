"""The first of two stages, made once and kept with a base model: a one-step generator that has forgotten nothing and
the fake score that it was made with. It is the loop of every job with nothing to forget: Score identity Distillation
(arXiv 2404.04057)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from sfd_core.adding.pair import enter_pair, pair_folders
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import ModelRefused
from sfd_core.families.device import pick_device
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.registry import describe, family_of, recipe_of
from sfd_core.prompts.plan import plan_prompts
from sfd_core.request.concepts import Budget
from sfd_core.request.recipe import Recipe
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.training import checkpoint
from sfd_core.training.loop import StepResult, train
from sfd_core.training.state import TrainingState, save_pair, start

SECONDS = 10.0
"""Between two checkpoints."""


def first_stage(
    base: LoadedBase, recipe: Recipe, images: int, work: Path, device: torch.device, seed: int = 0
) -> Iterator[tuple[TrainingState, StepResult]]:
    """Distil ``base`` on ``images`` generated images, yielding the state after each step. Interrupted, the same call
    goes on from the newest checkpoint in ``work``, where one is written every :data:`SECONDS`.

    Raises:
        TrainingDiverged: when the run is no longer finite.
    """
    request = UnlearningRequest(base.model.name, (), Budget(images), recipe, seed=seed)
    family = family_of(base.model.family)
    prompts = plan_prompts(request, base.model) if base.model.vocabulary is not None else None
    plan = family.plan(base, request, prompts, device)
    state = start(base, recipe, seed, device)
    checkpoint.restore_newest(state, [work])
    saved = time.monotonic()
    if state.images >= images:  # stopped between its last step and its folders
        yield state, StepResult(state.step, state.images, state.seconds, 0.0, 0.0, None, True)
        return
    for step in train(state, base, request, plan=plan):
        if step.finished or time.monotonic() - saved >= SECONDS:
            checkpoint.save(state, work)
            saved = time.monotonic()
        yield state, step


def distil_model(
    model: BaseModel, images: int, work: Path, device: str = "auto", changes: dict[str, Any] | None = None
) -> Iterator[StepResult]:
    """Distil ``model`` and enter the pair in its manifest, yielding after each step. ``changes``: of the recipe
    that its jobs have, and have from then on: they go on where it ends.

    Raises:
        InvalidRequest: for changes that are no recipe's.
        ModelRefused: for a model that does not load, or one of prompts that no vocabulary says.
    """
    if describe(model.family).takes_prompts and model.vocabulary is None:
        raise ModelRefused(f"{model.name} has no vocabulary: nothing says which prompts its first stage is to know")
    recipe = dataclasses.replace(
        recipe_of(model.family, model.recipe, {"deep_weight": 0.0, **(changes or {})}), start="base_model"
    )
    where = pick_device(device)
    # Only the same run on the same networks may go on from a checkpoint.
    asked = json.dumps([_networks(model), images, dataclasses.asdict(recipe)], sort_keys=True, default=str)
    folder = work / f"{model.name}-{hashlib.sha256(asked.encode()).hexdigest()[:16]}"
    base = load_base(dataclasses.replace(model, distilled=None), where)
    state = None
    for state, step in first_stage(base, recipe, images, folder, where):  # noqa: B007 - the last one is used
        yield step
    assert state is not None
    made = state
    kept = {name: value for name, value in (changes or {}).items() if name != "start"}
    enter_pair(model, lambda partial: save_pair(made, partial), recipe.t_init, recipe=kept)
    shutil.rmtree(folder, ignore_errors=True)


def _networks(model: BaseModel) -> dict[str, str]:
    """The files of a model but for an earlier pair and what judges it."""
    judges = [info.folder for info in (model.judge, model.second_judge) if info is not None]
    apart = (*pair_folders(model), *judges)
    return {n: d for n, d in model.files.items() if not any(n.startswith(f"{f}/") for f in apart)}
