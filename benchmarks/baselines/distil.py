"""One-step generators by the loop of a job: forgetting, forgetting nothing, or never asked for a class."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from rich.progress import track

from cli.demo_run import FORGET, IMAGES
from sfd_core.evaluation.in_training import generator_of
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.families.loading import LoadedBase
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.training.loop import start, train

((FORGOTTEN, OVERRIDE),) = FORGET.items()


def distil(base: LoadedBase, request: UnlearningRequest, folder: Path, forget: bool, shun: bool) -> OneStepGenerator:
    """One step by the loop of a job: with the request's forgetting, with none, or (``shun``) with the forgotten class
    never asked for."""
    if not folder.is_dir():
        recipe = dataclasses.replace(request.recipe, forgotten_share=0.0) if shun else request.recipe
        plan = dataclasses.replace(request, recipe=recipe, forget=request.forget if forget or shun else ())
        state = start(base, recipe, request.seed, torch.device("cpu"))
        for _ in track(train(state, base, plan), description=folder.name, total=IMAGES // recipe.batch):
            pass
        generator_of(state, base, recipe).save(folder)
    return OneStepGenerator.load(folder)
