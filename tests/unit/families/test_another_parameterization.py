"""The loop knows a network by its parameterization alone: one of another kind, with continuous times and an input of
its own (EDM, Karras et al. 2022, arXiv 2206.00364), trains through the same step."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, Self

import pytest
import torch
from torch import Tensor, nn

from benchmarks.baselines.esd import esd
from sfd_core.families.class_conditions import class_conditions
from sfd_core.families.class_unet.network import ClassUnetScore
from sfd_core.families.ddim import ddim
from sfd_core.families.loading import load_base
from sfd_core.families.parameterization import Parameterization, linear_schedule, per_image
from sfd_core.families.protocol import LoadedBase
from sfd_core.request.concepts import Forget
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.recipe import Recipe
from sfd_core.training.conditions import ConditionSampler
from sfd_core.training.losses import fake_score_loss
from sfd_core.training.state import TrainingState, start
from sfd_core.training.step import TrainingStep
from tests.support.tiny_model import CONCEPTS, make_tiny_model

CPU = torch.device("cpu")
SD = 0.5


class Edm(Parameterization):
    """EDM's preconditioning, sigma as the time."""

    def signal(self, t: Tensor) -> Tensor:
        return torch.ones_like(t)

    def noise(self, t: Tensor) -> Tensor:
        return t

    def network_input(self, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        return x_t / per_image((t**2 + SD**2).sqrt(), x_t), t.log() / 4

    def x0_from_output(self, output: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        skip, out = SD**2 / (t**2 + SD**2), t * SD / (t**2 + SD**2).sqrt()
        return per_image(skip, x_t) * x_t + per_image(out, x_t) * output

    def start(self, recipe: Recipe) -> float:
        return 2.5

    def generator_times(self, n: int, recipe: Recipe, rng: torch.Generator) -> Tensor:
        return 0.1 + torch.rand(n, generator=rng)

    def all_times(self, n: int, rng: torch.Generator) -> Tensor:
        return (3 * torch.randn(n, generator=rng) - 1.2).exp().clamp(0.002, 80)

    def fake_score_times(self, n: int, recipe: Recipe, rng: torch.Generator) -> Tensor:
        return (1.2 * torch.randn(n, generator=rng) - 1.2).exp()

    def eps_weight(self, t: Tensor) -> Tensor:
        return (t**2 + SD**2) / SD**2

    def one_step_scheduler(self, start: float) -> Any:
        raise NotImplementedError("nothing is published here")

    def to(self, device: torch.device | str) -> Self:
        return self


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> LoadedBase:
    return load_base(make_tiny_model(tmp_path_factory.mktemp("models") / "tiny"))


@pytest.fixture
def state(base: LoadedBase) -> TrainingState:
    return start(base, Recipe(batch=8), 0, CPU)


def step_of(base: LoadedBase, state: TrainingState, asked: list[tuple[Tensor, Tensor]]) -> TrainingStep:
    class Watched(nn.Module):
        """The network, and what it is asked."""

        def __init__(self, unet: Any) -> None:
            super().__init__()
            self.unet = unet

        def forward(self, x: Tensor, t: Tensor, **asks: Any) -> Any:
            asked.append((x.detach(), t.detach()))
            return self.unet(x, t, **asks)

    networks = (base.network, state.fake_score, state.generator, base.network)
    return TrainingStep(*(ClassUnetScore(Watched(unet), Edm()) for unet in networks), Edm(), Recipe(batch=8), None)


def weights(network: Any) -> Iterator[Tensor]:
    return (weight.detach().clone() for weight in network.parameters())


def test_a_step_trains_both_networks_and_asks_them_as_the_kind_is_asked(base: LoadedBase, state: TrainingState) -> None:
    table = class_conditions([Forget("red", FixedOverride("green"))], CONCEPTS)
    sampler, asked = ConditionSampler(table, Recipe(batch=8), CPU), []
    before = [list(weights(network)) for network in (state.generator, state.fake_score, base.network)]
    losses = step_of(base, state, asked)(state, sampler, sampler.draw(state.rng))
    after = [list(weights(network)) for network in (state.generator, state.fake_score, base.network)]
    moved = [any(not torch.equal(b, a) for b, a in zip(*pair, strict=True)) for pair in zip(before, after, strict=True)]
    assert moved == [True, True, False]
    assert all(torch.isfinite(torch.tensor(loss)) for loss in losses)
    x, t = asked[0]  # the generator, from pure noise at sigma = 2.5
    assert torch.allclose(t, torch.full((8,), 2.5).log() / 4)
    assert x.std().item() == pytest.approx(2.5 / (2.5**2 + SD**2) ** 0.5, rel=0.1)


def test_the_weight_makes_the_error_in_eps_that_in_x0() -> None:
    """``lambda(sigma) || f - x ||^2`` with EDM's ``(sigma^2 + sd^2) / (sigma sd)^2``, in double precision."""
    g = torch.Generator().manual_seed(0)
    x, f, eps = (torch.randn(5, 1, 4, 4, dtype=torch.float64, generator=g) for _ in range(3))
    sigma, w = torch.rand(5, dtype=torch.float64, generator=g) + 0.1, torch.tensor([1, 1, 0.5, 2, 1]).double()
    kind = Edm()
    x_t = kind.add_noise(x, eps, sigma)
    ours = fake_score_loss(kind.eps_from_x0(f, x_t, sigma), eps, w * kind.eps_weight(sigma))
    weight = (sigma**2 + SD**2) / (sigma * SD) ** 2
    theirs = (w * weight * (f - x).square().sum((1, 2, 3))).mean()
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-12)


def test_a_whole_step_of_the_schedule_draws_times_of_both_ends() -> None:
    schedule, rng = linear_schedule(), torch.Generator().manual_seed(0)
    recipe = Recipe(t_min=3, t_max=6)
    for draw in (schedule.generator_times, schedule.fake_score_times):
        assert set(draw(200, recipe, rng).tolist()) == {3, 4, 5, 6}


def test_what_counts_in_steps_says_that_there_are_none(base: LoadedBase) -> None:
    continuous = dataclasses.replace(base, schedule=Edm())
    with pytest.raises(TypeError, match="DDIM samples over the steps of a VariancePreserving, which Edm does not"):
        ddim(Edm())
    with pytest.raises(TypeError, match="ESD draws the steps of a VariancePreserving, which Edm does not"):
        esd(SimpleNamespace(base=continuous), "red", "green")
