"""What the demonstration forgets, and one-step generators by the loop of a job: forgetting it, in one step alone or
behind it too, forgetting nothing, or never asked for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.progress import track

from benchmarks.shared.experiment import Experiment, bundled
from benchmarks.shared.page import keep_commit
from cli.demo_run import SEED, SNEAKERS
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.request.concepts import Budget
from sfd_core.request.recipe import Recipe
from sfd_core.request.unlearning_request import UnlearningRequest

((FORGOTTEN, OVERRIDE),) = SNEAKERS.forget.items()
Asked = Callable[[UnlearningRequest], UnlearningRequest]
"""Makes the request of one generator of the experiment's."""


def demonstration(images: int, **evaluation: Any) -> Experiment:
    """Return the demonstration's request on its base model. ``images``: its budget; ``evaluation``: the request's."""
    body = {
        "forget": [{"concept": FORGOTTEN, "override": OVERRIDE}],
        "budget": {"images": images},
        "evaluation": evaluation,
        "seed": SEED,
    }
    return Experiment.of(bundled(SNEAKERS.base), body)


def forgetting(request: UnlearningRequest) -> UnlearningRequest:
    """Return what makes a generator forget: the request as it is."""
    return request


def forgetting_in_one_step(request: UnlearningRequest) -> UnlearningRequest:
    """Return what makes it forget in its one step, by a network that still knows behind it: the paper's losses alone,
    by a class model's own recipe, from the base model, on half as many images again. What `fashion` recommends for its
    first stage forgets at other times too, without the loss that is for them."""
    recipe = Recipe(deep_weight=0, start="base_model")
    return dataclasses.replace(request, recipe=recipe, budget=Budget(request.budget.images * 25 // 16))


def remembering(request: UnlearningRequest) -> UnlearningRequest:
    """Return what makes it forget nothing."""
    return dataclasses.replace(request, forget=())


def shunning(request: UnlearningRequest) -> UnlearningRequest:
    """Return what makes it one that was never asked for the forgotten class."""
    recipe = dataclasses.replace(request.recipe, forgotten_share=0.0, deep_weight=0)
    return dataclasses.replace(request, recipe=recipe)


def distil(experiment: Experiment, folder: Path, asked: Asked = forgetting) -> OneStepGenerator:
    """Distil one step by the loop of a job, ``asked`` of the experiment's request. What is in ``folder`` is not made
    again."""
    if not folder.is_dir():
        planned = dataclasses.replace(experiment, request=asked(experiment.request))
        state = planned.start()
        steps = -(-planned.request.budget.images // planned.request.recipe.batch)
        for _ in track(planned.steps(state), description=folder.name, total=steps):
            pass
        planned.generator(state).save(folder)
        keep_commit(folder)
    return OneStepGenerator.load(folder)
