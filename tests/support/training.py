"""The loop for tests: what a run trains with is planned here, as ``sfd_core.run`` plans it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from sfd_core.families.device import device_of
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase, TrainingPlan
from sfd_core.families.registry import describe, family_of
from sfd_core.prompts.plan import plan_prompts
from sfd_core.request.recipe import Recipe
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.training import loop
from sfd_core.training.state import TrainingState, start
from tests.support.tiny_model import make_tiny_model


def plan_of(base: LoadedBase, request: UnlearningRequest) -> TrainingPlan:
    """What a run of ``request`` trains with."""
    prompts = plan_prompts(request, base.model) if describe(base.model.family).takes_prompts else None
    return family_of(base.model.family).plan(base, request, prompts, device_of(base.network))


def train(
    state: TrainingState,
    base: LoadedBase,
    request: UnlearningRequest,
    *,
    plan: TrainingPlan | None = None,
    **options: Any,
) -> Iterator[loop.StepResult]:
    """:func:`sfd_core.training.loop.train` of ``plan``, else of what :func:`plan_of` plans."""
    return loop.train(state, base, request, plan=plan or plan_of(base, request), **options)


def states_of(folder: Path) -> Callable[[int], TrainingState]:
    """What makes a state of a tiny model, which is put into ``folder``, at a step that its weights tell."""
    base = load_base(make_tiny_model(folder))

    def make(step: int) -> TrainingState:
        state = start(base, Recipe(), 0, torch.device("cpu"))
        state.step = state.images = step
        with torch.no_grad():
            state.generator.conv_out.bias.fill_(step)
        return state

    return make
