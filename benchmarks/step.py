"""A training step as Lethe arranges it against the published arrangement, on the same networks in one run.

    python -m benchmarks.step [--base fashion] [--rounds 6]

Ours: one merged batch, remaining and forgotten conditions together, images drawn once for both networks. Published
(the authors' scripts): four half-losses a step, a whole batch of forgotten images beside a whole batch of remaining
ones, images drawn anew for each network. Both use this repository's losses and networks. What counts is how many
remaining images a second train the generator. Rounds alternate, so that a noisy machine is noisy for both.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from typing import Protocol

import torch
from torch import Tensor

from jobs.settings import load_settings
from sfd_core.families.class_unet.network import ClassUnetScore
from sfd_core.families.loading import LoadedBase, load_base
from sfd_core.request.concepts import FixedOverride, Forget
from sfd_core.request.recipe import RECIPES, Recipe
from sfd_core.training.conditions import ConditionSampler
from sfd_core.training.loop import Stage, TrainingState, start, update_average
from sfd_core.training.losses import fake_score_loss, generator_loss

CPU = torch.device("cpu")


class Arrangement(Protocol):
    """A way to make a step, on networks of its own."""

    state: TrainingState

    def __init__(self, stage: Stage, state: TrainingState, sampler: ConditionSampler, recipe: Recipe) -> None: ...

    def step(self) -> None: ...


class Published:
    """The published arrangement: for each network, a half-loss over a whole batch of remaining conditions and one over
    a whole batch of forgotten ones, weighted, each on images of its own."""

    def __init__(self, stage: Stage, state: TrainingState, sampler: ConditionSampler, recipe: Recipe) -> None:
        self.stage, self.state, self.sampler, self.recipe = stage, state, sampler, recipe

    def step(self) -> None:
        stage, state, batch = self.stage, self.state, self.recipe.batch
        halves = [(self.sampler.remaining, 1.0), (self.sampler.forgotten, self.recipe.forget_weight)]
        stage.psi.unet.requires_grad_(True)
        state.optimizer_fake_score.zero_grad(set_to_none=True)
        for labels, weight in halves:
            c, z, t, eps, w = self._draw(labels, batch, weight)
            with torch.no_grad():
                x_g = stage.images(z, c)
            x_t = stage.schedule.add_noise(x_g, eps, t)
            fake_score_loss(stage.schedule.eps_from_x0(stage.psi(x_t, t, c), x_t, t), eps, w).backward()
        torch.nn.utils.clip_grad_value_(stage.psi.unet.parameters(), self.recipe.clip_value)
        state.optimizer_fake_score.step()
        stage.psi.unet.requires_grad_(False)
        state.optimizer_generator.zero_grad(set_to_none=True)
        for labels, weight in halves:
            c, z, t, eps, w = self._draw(labels, batch, weight)
            x_g = stage.images(z, c)
            x_t = stage.schedule.add_noise(x_g, eps, t)
            f_psi = stage.psi(x_t, t, c)
            f_phi = stage.phi(x_t, t, self.sampler.overrides(c, f_psi, None, state.rng))
            generator_loss(x_g, f_phi, f_psi, self.recipe.alpha, w).backward()
        torch.nn.utils.clip_grad_value_(stage.theta.unet.parameters(), self.recipe.clip_value)
        state.optimizer_generator.step()
        update_average(state.average, state.generator, self.recipe.ema, state.step)
        state.step += 1

    def _draw(self, labels: Tensor, batch: int, weight: float) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        g, config = self.state.rng, self.state.generator.config
        shape = (batch, config.in_channels, config.sample_size, config.sample_size)
        c = labels[torch.randint(0, len(labels), (batch,), generator=g)]
        t = torch.randint(self.recipe.t_min, self.recipe.t_max + 1, (batch,), generator=g)
        return c, torch.randn(shape, generator=g), t, torch.randn(shape, generator=g), torch.full((batch,), weight)


class Merged:
    """Lethe's own arrangement: what ``sfd_core.training.loop`` does in a step."""

    def __init__(self, stage: Stage, state: TrainingState, sampler: ConditionSampler, recipe: Recipe) -> None:
        self.stage, self.state, self.sampler, self.recipe = stage, state, sampler, recipe

    def step(self) -> None:
        self.stage.step(self.state, self.sampler, self.sampler.draw(self.state.rng))
        update_average(self.state.average, self.state.generator, self.recipe.ema, self.state.step)
        self.state.step += 1


def arrange(kind: type[Arrangement], base: LoadedBase, recipe: Recipe, forget: Forget) -> Arrangement:
    """One arrangement with networks of its own, freshly copied from the teacher."""
    state = start(base, recipe, 0, CPU)
    teacher = copy.deepcopy(base.unet).requires_grad_(False).eval()
    phi, psi, theta = (ClassUnetScore(u, base.schedule) for u in (teacher, state.fake_score, state.generator))
    stage = Stage(phi, psi, theta, base.schedule, recipe, None)
    return kind(stage, state, ConditionSampler((forget,), base.model.concepts, recipe, CPU), recipe)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="fashion")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--steps", type=int, default=4, help="steps a round")
    arguments = parser.parse_args()
    base = load_base(load_settings().models()[arguments.base])
    recipe = RECIPES[base.model.family]
    forget = Forget(base.model.concepts[0], FixedOverride(base.model.concepts[1]))

    remaining = {"merged batch (ours)": recipe.batch - recipe.forgotten_count, "four half-losses": recipe.batch}
    kinds: dict[str, type[Arrangement]] = {"merged batch (ours)": Merged, "four half-losses": Published}
    runs = {name: arrange(kind, base, recipe, forget).step for name, kind in kinds.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(arguments.rounds):
        for name, run in runs.items():
            began = time.perf_counter()
            for _ in range(arguments.steps):
                run()
            seconds[name].append((time.perf_counter() - began) / arguments.steps)
    print(f"{base.model.name}, batch {recipe.batch}, {torch.get_num_threads()} threads, {arguments.rounds} rounds")
    print(f"{'arrangement':22}{'s a step':>10}{'remaining images/s':>20}")
    rates = {}
    for name in runs:
        median = statistics.median(seconds[name])
        rates[name] = remaining[name] / median
        print(f"{name:22}{median:10.3f}{rates[name]:20.1f}")
    ratios = [
        (remaining["merged batch (ours)"] / a) / (remaining["four half-losses"] / b)
        for a, b in zip(seconds["merged batch (ours)"], seconds["four half-losses"], strict=True)
    ]
    print(f"ratio: {statistics.median(ratios):.2f} (rounds: {', '.join(f'{r:.2f}' for r in ratios)}); wanted: 1.8")


if __name__ == "__main__":
    main()
