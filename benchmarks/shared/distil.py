"""What the demonstration forgets, and one-step generators by the loop of a job: forgetting it, forgetting nothing, or
never asked for it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from rich.progress import track

from benchmarks.shared.experiment import Experiment, bundled
from benchmarks.shared.page import keep_commit
from cli.demo_run import SEED, SNEAKERS
from sfd_core.families.class_unet.generator import OneStepGenerator

((FORGOTTEN, OVERRIDE),) = SNEAKERS.forget.items()


def demonstration(images: int, **evaluation: Any) -> Experiment:
    """Return the demonstration's request on its base model. ``images``: its budget; ``evaluation``: the request's."""
    body = {
        "forget": [{"concept": FORGOTTEN, "override": OVERRIDE}],
        "budget": {"images": images},
        "evaluation": evaluation,
        "seed": SEED,
    }
    return Experiment.of(bundled(SNEAKERS.base), body)


def distil(experiment: Experiment, folder: Path, forget: bool, shun: bool = False) -> OneStepGenerator:
    """Distil one step by the loop of a job: with the request's forgetting, with none, or (``shun``) with the forgotten
    class never asked for. What is in ``folder`` is not made again."""
    if not folder.is_dir():
        request = experiment.request
        recipe = dataclasses.replace(request.recipe, forgotten_share=0.0, deep_weight=0) if shun else request.recipe
        plan = dataclasses.replace(request, recipe=recipe, forget=request.forget if forget or shun else ())
        planned = dataclasses.replace(experiment, request=plan)
        state = planned.start()
        steps = -(-request.budget.images // recipe.batch)
        for _ in track(planned.steps(state), description=folder.name, total=steps):
            pass
        planned.generator(state).save(folder)
        keep_commit(folder)
    return OneStepGenerator.load(folder)
