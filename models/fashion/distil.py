"""Stage one: distil the base model into a one-step generator that has forgotten nothing. Made once, kept with the base
model; every forget job starts from it.

    python -m models.fashion.distil                 # resumes from build/fashion-distilled if it was interrupted

First a regression: the generator, which is the network asked once, is fitted to pairs of a noise and the image that the
base model makes of it in many steps. Then Score identity Distillation (arXiv 2404.04057) by the loop of every job, with
nothing to forget and rates that fall. Without the regression the images are speckled, however long the second takes
(docs/recipes.md). No data is read: the pairs are the base model's own. What is kept is the moving average of the
generator and the fake score as it stands, in half precision.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from safetensors.torch import load_file, save_file
from torch import Tensor

from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.metrics import frechet_distance
from sfd_core.evaluation.reference import Reference
from sfd_core.families.class_unet.family import FAMILY
from sfd_core.families.ddim import BATCH, ddim
from sfd_core.families.images import noise_shape
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.registry import load_manifest
from sfd_core.request.concepts import Budget
from sfd_core.request.recipe import Recipe
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.training import checkpoint
from sfd_core.training.loop import train
from sfd_core.training.state import TrainingState, start

HERE = Path(__file__).parent
SEED, PAIRS_SEED = 0, 1
PAIRS, STEPS = 6400, 20
"""Pairs of noise and image, and steps of the base model's sampler for each."""
REGRESSION_STEPS, REGRESSION_RATE = 600, 3e-4
IMAGES = 64 * 100
RECIPE = Recipe(lr_generator=5e-5, lr_fake_score=3e-4, ema=0.995, deep_weight=0)
CPU = torch.device("cpu")


def pairs(base: LoadedBase, work: Path, count: int, steps: int) -> dict[str, Tensor]:
    """Make ``count`` pairs: ``z`` unit noise and ``x`` the image of it [n, C, H, W], ``c`` labels [n]. Kept in
    ``work``."""
    if (path := work / "pairs.safetensors").is_file():
        return load_file(path)
    scheduler, concepts = ddim(base.schedule), len(base.model.concepts)
    scheduler.set_timesteps(steps)
    z = torch.randn(count, *noise_shape(base.network), generator=torch.Generator().manual_seed(PAIRS_SEED))
    c, images = torch.arange(count) % concepts, []
    for x, labels in track(list(zip(z.split(BATCH), c.split(BATCH), strict=True)), description="pairs"):
        with torch.no_grad():
            for t in scheduler.timesteps:
                x = scheduler.step(base.network(x, t, class_labels=labels).sample, t, x).prev_sample
        images.append(x)
    made = {"z": z, "c": c, "x": torch.cat(images)}
    work.mkdir(parents=True, exist_ok=True)
    save_file(made, path)
    return made


def regress(state: TrainingState, base: LoadedBase, made: dict[str, Tensor], steps: int) -> None:
    """Train the generator on the pairs by the mean absolute error, at a rate that falls to nought."""
    plan = FAMILY.plan(base, UnlearningRequest("fashion", (), Budget(64), RECIPE), None, CPU)
    theta, schedule, t_init = plan.score(state.generator), base.schedule, base.schedule.start(RECIPE)
    optimizer, rng = torch.optim.Adam(state.generator.parameters()), torch.Generator().manual_seed(SEED)
    for step in track(range(steps), description="regression"):
        for group in optimizer.param_groups:
            group["lr"] = REGRESSION_RATE * falling(step / steps)
        i = torch.randint(len(made["c"]), (64,), generator=rng)
        t = torch.full((64,), t_init)
        loss = (theta(schedule.pure_noise(made["z"][i], t), t, made["c"][i]) - made["x"][i]).abs().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    state.average.load_state_dict(copy.deepcopy(state.generator.state_dict()))


def falling(share: float) -> float:
    """Return what is left of a rate after this share of the run: from 1 to 0, as half a cosine."""
    return 0.5 * (1 + math.cos(math.pi * share))


class Curve:
    """The figures in the log beside the losses: how often images are judged right, and their distance to real ones
    beside the base model's, of as many images."""

    def __init__(self, base: LoadedBase, each: int) -> None:
        model = base.model
        assert model.reference is not None
        self.base, self.each, self.judge = base, each, ImageJudge.load(model)
        self.reference = Reference.load(model.folder / model.reference)
        own = self.reference.base_model
        few = torch.cat([(torch.from_numpy(own.labels) == label).nonzero()[:each, 0] for label in range(10)]).numpy()
        self.base_model = frechet_distance(self.reference.real.features, own.features[few])

    def __call__(self, state: TrainingState) -> dict[str, float]:
        generator = FAMILY.generator(state.average, self.base, self.base.schedule.start(RECIPE))
        labels = [label for label in range(10) for _ in range(self.each)]
        judged = self.judge.judge(generator.sample_labels(labels, range(700_000_000, 700_000_000 + len(labels))))
        return {
            "judged_right": round(float((judged.seen == labels).mean()), 4),
            "fd": round(frechet_distance(self.reference.real.features, judged.features), 3),
            "fd_base_model": round(self.base_model, 3),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=IMAGES, help="of the second part")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--steps", type=int, default=REGRESSION_STEPS, help="of the regression")
    parser.add_argument("--judged", type=int, default=100, help="images a concept of the log's figures")
    parser.add_argument("--work", type=Path, default=Path("build/fashion-distilled"), help="pairs and checkpoints")
    parser.add_argument("--out", type=Path, default=HERE / "distilled")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    base = load_base(load_manifest(HERE))
    request = UnlearningRequest("fashion", (), Budget(arguments.images), RECIPE, seed=SEED)
    plan, curve = FAMILY.plan(base, request, None, CPU), Curve(base, arguments.judged)
    state = start(base, RECIPE, SEED, CPU)
    with (arguments.out / "distil.log.jsonl").open("a") as log:

        def write(**line: Any) -> None:
            log.write(json.dumps(line) + "\n")
            log.flush()

        if checkpoint.restore_newest(state, [arguments.work]) is None:
            began = time.monotonic()
            regress(state, base, pairs(base, arguments.work, arguments.pairs, STEPS), arguments.steps)
            write(part="regression", steps=arguments.steps, seconds=round(time.monotonic() - began, 1), **curve(state))
        for step in train(state, base, request, plan=plan):
            share = state.images / arguments.images
            state.optimizer_generator.param_groups[0]["lr"] = RECIPE.lr_generator * falling(share)
            state.optimizer_fake_score.param_groups[0]["lr"] = RECIPE.lr_fake_score * falling(share)
            if step.step % 25 == 0 or step.finished:
                losses = {"loss_generator": step.loss_generator, "loss_fake_score": step.loss_fake_score}
                figures = {name: round(value, 3) for name, value in losses.items()} | curve(state)
                write(part="distillation", images=step.images, seconds=round(step.seconds, 1), **figures)
                checkpoint.save(state, arguments.work)
    state.average.half().save_pretrained(arguments.out / "generator")
    state.fake_score.half().save_pretrained(arguments.out / "fake_score")


if __name__ == "__main__":
    main()
