"""Stage one: distil the base model into a one-step generator that has forgotten nothing. Made once, kept with the base
model; every forget job starts from it.

    python -m models.fashion.distil                 # resumes from build/fashion-distilled if it was interrupted
    python -m models.fashion_edm.distil             # the same of another base model

First a regression: the generator, which is the network asked once, is fitted to pairs of a noise and the image that the
base model makes of it in many steps. Then the fake score is fitted to the generator's images: it has to know them
before its answers mean anything. Then Score identity Distillation (arXiv 2404.04057) by the step of every job, with
nothing to forget and low rates that fall. Without the first the images are speckled, without the second what it gained
is lost again, however long the third takes (docs/recipes.md).

All along the network is held to the base model at every time but those near its own step (``anchor``): what a job makes
it forget at every time (``L_deep``), it must know there. No data is read: the pairs are the base model's own. What is
kept is the moving average of the generator and the fake score as it stands, in half precision.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from rich.progress import track
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.fashion.bundle import Bundle
from sfd_core.evaluation.in_training import generator_of
from sfd_core.evaluation.judge import ImageJudge
from sfd_core.evaluation.metrics import frechet_distance
from sfd_core.evaluation.reference import Reference
from sfd_core.families.class_unet.base_sampler import ManyStepSampler
from sfd_core.families.ddim import BATCH
from sfd_core.families.images import noise_shape
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.registry import family_of, load_manifest
from sfd_core.request.concepts import Budget
from sfd_core.request.recipe import Recipe
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.training import checkpoint
from sfd_core.training.conditions import ConditionSampler
from sfd_core.training.losses import deep_loss, fake_score_loss
from sfd_core.training.state import TrainingState, start, update_average
from sfd_core.training.step import TrainingStep

HERE = Path(__file__).parent
SEED, PAIRS_SEED = 0, 1
REGRESSION_RATE = 3e-4
FAKE_SCORE_STEPS, FAKE_SCORE_RATE = 350, 3e-4
IMAGES = 64 * 220
RECIPE = Recipe(lr_generator=2e-5, lr_fake_score=1e-4, ema=0.98, deep_weight=0, start="base_model")
RECOMMENDED = {"batch": 32, "forgotten_share": 0.25, "deep_share": 1.0, "deep_weight": 12.0}
"""What a job from that pair should change in its family's recipe: the pair draws what remains already, so half as many
images of it are enough, and the network forgets at every time in as many steps (docs/recipes.md)."""
ANCHOR_IMAGES, ANCHOR_WEIGHT, ANCHOR_AWAY = 16, 3.0, 70
"""Images a step that hold the network to the base model, their weight in the sum over pixels, and how many steps from
``t_init`` they stay."""
CPU = torch.device("cpu")


def away_from(t: Tensor, start: float) -> Tensor:
    """Move steps t [n] that are too near to ``start`` among those that are before it."""
    return t.where((t - start).abs() >= ANCHOR_AWAY, t % int(start - ANCHOR_AWAY))


FASHION = Bundle(
    HERE,
    "fashion",
    "Fashion-MNIST, class-conditional DDPM, 28x28",
    "class_unet",
    "DDIM",
    20,
    RECIPE,
    away_from,
    features={"EffLite0-320": "reference-efflite0.safetensors"},
    controls={"Sneaker": "controls/without-sneaker"},
    recommended=RECOMMENDED,
    pairs=25_600,
    regression_steps=5000,
)


def pairs(base: LoadedBase, work: Path, count: int, steps: int) -> dict[str, Tensor]:
    """Make ``count`` pairs: ``z`` unit noise and ``x`` the image of it [n, C, H, W], ``c`` labels [n]. Kept in
    ``work``."""
    if (path := work / "pairs.safetensors").is_file():
        return load_file(path)
    sampler, concepts = family_of(base.model.family).base_sampler(base, CPU, steps), len(base.model.concepts)
    assert isinstance(sampler, ManyStepSampler)  # of class-conditional U-Nets
    z = torch.randn(count, *noise_shape(base.network), generator=torch.Generator().manual_seed(PAIRS_SEED))
    c, images = torch.arange(count) % concepts, []
    for noise, labels in track(list(zip(z.split(BATCH), c.split(BATCH), strict=True)), description="pairs"):
        images.append(sampler.from_noise(noise, labels))
    made = {"z": z, "c": c, "x": torch.cat(images)}
    work.mkdir(parents=True, exist_ok=True)
    save_file(made, path)
    return made


class Distillation:
    """A run: its state, the networks of a step, and the pairs."""

    def __init__(
        self, base: LoadedBase, state: TrainingState, made: dict[str, Tensor], bundle: Bundle = FASHION
    ) -> None:
        request = UnlearningRequest(bundle.name, (), Budget(64), bundle.recipe, seed=SEED)
        plan = family_of(bundle.family).plan(base, request, None, CPU)
        self.state, self.made, self.schedule = state, made, base.schedule
        self.recipe, self.away = bundle.recipe, bundle.away
        phi = base.network.eval().requires_grad_(False)
        self.phi, self.psi, self.theta = (plan.score(n) for n in (phi, state.fake_score, state.generator))
        self.t_init = base.schedule.start(self.recipe)
        self.sampler = ConditionSampler(plan.distilling, self.recipe, CPU)

    def regress(self, steps: int) -> None:
        """Train the generator on the pairs by the mean absolute error, at a rate that falls to nought."""
        optimizer = torch.optim.Adam(self.state.generator.parameters())
        for step in track(range(steps), description="regression"):
            _rate(optimizer, REGRESSION_RATE * falling(step / steps))
            i = torch.randint(len(self.made["c"]), (64,), generator=self.state.rng)
            z, x, c = (self.made[name][i] for name in "zxc")
            loss = (self._one_step(z, c) - x).abs().mean() + self.anchor() / x[0].numel()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        self.state.average.load_state_dict(copy.deepcopy(self.state.generator.state_dict()))

    def fit_fake_score(self, steps: int) -> None:
        """Train the fake score on the generator's images by its own loss, at a rate that falls to nought."""
        state, rng = self.state, self.state.rng
        optimizer = torch.optim.Adam(state.fake_score.parameters(), betas=(0.9, 0.999))
        for step in track(range(steps), description="fake score"):
            _rate(optimizer, FAKE_SCORE_RATE * falling(step / steps))
            c = self.sampler.draw(rng, step).c
            z, eps = (torch.randn(len(c), *noise_shape(state.generator), generator=rng) for _ in range(2))
            t = self.schedule.fake_score_times(len(c), self.recipe, rng)
            with torch.no_grad():
                x_t = self.schedule.add_noise(self._one_step(z, c), eps, t)
            predicted = self.schedule.eps_from_x0(self.psi(x_t, t, c), x_t, t)
            optimizer.zero_grad(set_to_none=True)
            fake_score_loss(predicted, eps, self.schedule.error_weight(t)).backward()
            optimizer.step()

    def distil(self, images: int) -> Iterator[tuple[float, float]]:
        """Distil up to ``images``, at rates that fall to nought; yields both losses after each step."""
        state = self.state
        recipe = self.recipe
        step = _Anchored(self.phi, self.psi, self.theta, None, self.schedule, recipe, None)
        step.run = self
        while state.images < images:
            began, left = time.monotonic(), falling(state.images / images)
            _rate(state.optimizer_generator, recipe.lr_generator * left)
            _rate(state.optimizer_fake_score, recipe.lr_fake_score * left)
            losses = step(state, self.sampler, self.sampler.draw(state.rng, state.step))
            update_average(state.average, state.generator, recipe.ema, state.step)
            state.step, state.images = state.step + 1, state.images + recipe.batch
            state.seconds += time.monotonic() - began
            yield losses

    def anchor(self) -> Tensor:
        """Compute the squared error of the generator's network to the base model's, on noised images of the pairs, at
        times away from its own step: a scalar."""
        rng = self.state.rng
        i = torch.randint(len(self.made["c"]), (ANCHOR_IMAGES,), generator=rng)
        t = self.away(self.schedule.all_times(ANCHOR_IMAGES, rng), self.t_init)
        x, c = self.made["x"][i], self.made["c"][i]
        x_t = self.schedule.add_noise(x, torch.randn(x.shape, generator=rng), t)
        with torch.no_grad():
            eps_phi = self.schedule.eps_from_x0(self.phi(x_t, t, c), x_t, t)
        eps_theta = self.schedule.eps_from_x0(self.theta(x_t, t, c), x_t, t)
        return deep_loss(eps_theta, eps_phi, ANCHOR_WEIGHT, self.schedule.error_weight(t))

    def _one_step(self, z: Tensor, c: Tensor) -> Tensor:
        t = torch.full((len(z),), self.t_init)
        return self.theta(self.schedule.pure_noise(z, t), t, c)


class _Anchored(TrainingStep):
    """A job's step whose generator is held to the base model besides."""

    run: Distillation

    def _apply(self, optimizer: torch.optim.Adam, loss: float, who: str, state: TrainingState) -> None:
        if optimizer is self.run.state.optimizer_generator:
            self.run.anchor().backward()
        super()._apply(optimizer, loss, who, state)


def _rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def falling(share: float) -> float:
    """Return what is left of a rate after this share of the run: from 1 to 0, as half a cosine."""
    return 0.5 * (1 + math.cos(math.pi * share))


class Curve:
    """The figures in the log beside the losses: how often images are judged right, and their distance to real ones
    beside the base model's, of as many images."""

    def __init__(self, base: LoadedBase, each: int, recipe: Recipe) -> None:
        model, self.recipe = base.model, recipe
        assert model.reference is not None
        self.base, self.each, self.judge = base, each, ImageJudge.load(model)
        self.reference = Reference.load(model.folder / model.reference)
        own = self.reference.base_model
        few = torch.cat([(torch.from_numpy(own.labels) == label).nonzero()[:each, 0] for label in range(10)]).numpy()
        self.base_model = frechet_distance(self.reference.real.features, own.features[few])

    def __call__(self, state: TrainingState) -> dict[str, float]:
        generator = generator_of(state, self.base, self.recipe)
        labels = [label for label in range(10) for _ in range(self.each)]
        judged = self.judge.judge(generator.sample_labels(labels, range(700_000_000, 700_000_000 + len(labels))))
        return {
            "judged_right": round(float((judged.seen == labels).mean()), 4),
            "fd": round(frechet_distance(self.reference.real.features, judged.features), 3),
            "fd_base_model": round(self.base_model, 3),
        }


def main(bundle: Bundle, parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=int, default=IMAGES, help="of the last part")
    parser.add_argument("--pairs", type=int, default=bundle.pairs)
    parser.add_argument("--steps", type=int, default=bundle.regression_steps, help="of the regression")
    parser.add_argument("--fake-score-steps", type=int, default=FAKE_SCORE_STEPS, help="before the last part")
    parser.add_argument("--judged", type=int, default=100, help="images a concept of the log's figures")
    parser.add_argument(
        "--work", type=Path, default=Path(f"build/{bundle.name}-distilled"), help="pairs and checkpoints"
    )
    parser.add_argument("--out", type=Path, default=bundle.here / "distilled")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)

    base = load_base(load_manifest(bundle.here))
    state, curve = start(base, bundle.recipe, SEED, CPU), Curve(base, arguments.judged, bundle.recipe)
    run = Distillation(base, state, pairs(base, arguments.work, arguments.pairs, bundle.steps), bundle)
    with (arguments.out / "distil.log.jsonl").open("a") as log:

        def write(**line: Any) -> None:
            log.write(json.dumps(line) + "\n")
            log.flush()

        if checkpoint.restore_newest(state, [arguments.work]) is None:
            began = time.monotonic()
            run.regress(arguments.steps)
            write(part="regression", steps=arguments.steps, seconds=round(time.monotonic() - began, 1), **curve(state))
            began = time.monotonic()
            run.fit_fake_score(arguments.fake_score_steps)
            write(part="fake score", steps=arguments.fake_score_steps, seconds=round(time.monotonic() - began, 1))
        for fake_score, generator in run.distil(arguments.images):
            if state.step % 20 == 0 or state.images >= arguments.images:
                figures = {"loss_generator": round(generator, 3), "loss_fake_score": round(fake_score, 3)} | curve(
                    state
                )
                write(part="distillation", images=state.images, seconds=round(state.seconds, 1), **figures)
                checkpoint.save(state, arguments.work)
    state.average.half().save_pretrained(arguments.out / "generator")
    state.fake_score.half().save_pretrained(arguments.out / "fake_score")


if __name__ == "__main__":
    main(FASHION, argparse.ArgumentParser(description=__doc__.splitlines()[0]))
