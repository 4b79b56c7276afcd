"""The loop knows a network by its parameterization alone: one of another kind, with continuous times and an input of
its own (EDM, Karras et al. 2022, arXiv 2206.00364), trains through the same step."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.baselines.esd import esd
from sfd_core.families.class_conditions import class_conditions
from sfd_core.families.class_unet.network import ClassUnetScore
from sfd_core.families.ddim import ddim
from sfd_core.families.edm.parameterization import Edm
from sfd_core.families.edm.scheduler_config import EdmConfig
from sfd_core.families.loading import load_base
from sfd_core.families.parameterization import linear_schedule
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.registry import recipe_of
from sfd_core.request.concepts import Forget
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.recipe import Recipe
from sfd_core.training.conditions import ConditionSampler
from sfd_core.training.state import TrainingState, start
from sfd_core.training.step import TrainingStep
from tests.support.tiny_model import CONCEPTS, make_tiny_model

CPU = torch.device("cpu")
KIND = Edm(EdmConfig())


RECIPE = dataclasses.replace(recipe_of("edm"), batch=8)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> LoadedBase:
    return load_base(make_tiny_model(tmp_path_factory.mktemp("models") / "tiny"))


@pytest.fixture
def state(base: LoadedBase) -> TrainingState:
    return start(base, RECIPE, 0, CPU)


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
    return TrainingStep(*(ClassUnetScore(Watched(unet), KIND) for unet in networks), KIND, RECIPE, None)


def weights(network: Any) -> Iterator[Tensor]:
    return (weight.detach().clone() for weight in network.parameters())


def test_a_step_trains_both_networks_and_asks_them_as_the_kind_is_asked(base: LoadedBase, state: TrainingState) -> None:
    table = class_conditions([Forget("red", FixedOverride("green"))], CONCEPTS)
    sampler, asked = ConditionSampler(table, RECIPE, CPU), []
    before = [list(weights(network)) for network in (state.generator, state.fake_score, base.network)]
    losses = step_of(base, state, asked)(state, sampler, sampler.draw(state.rng))
    after = [list(weights(network)) for network in (state.generator, state.fake_score, base.network)]
    moved = [any(not torch.equal(b, a) for b, a in zip(*pair, strict=True)) for pair in zip(before, after, strict=True)]
    assert moved == [True, True, False]
    assert all(torch.isfinite(torch.tensor(loss)) for loss in losses)
    x, t = asked[0]  # the generator, from pure noise at sigma = 2.5
    assert torch.allclose(t, torch.full((8,), 2.5).log() / 4)
    assert x.std().item() == pytest.approx(2.5 / (2.5**2 + 0.5**2) ** 0.5, rel=0.1)


def test_a_whole_step_of_the_schedule_draws_times_of_both_ends() -> None:
    schedule, rng = linear_schedule(), torch.Generator().manual_seed(0)
    recipe = Recipe(t_min=3, t_max=6)
    for draw in (schedule.generator_times, schedule.fake_score_times):
        assert set(draw(200, recipe, rng).tolist()) == {3, 4, 5, 6}


def test_what_counts_in_steps_says_that_there_are_none(base: LoadedBase) -> None:
    continuous = dataclasses.replace(base, schedule=KIND)
    with pytest.raises(TypeError, match="DDIM samples over the steps of a VariancePreserving, which Edm does not"):
        ddim(KIND)
    with pytest.raises(TypeError, match="ESD draws the steps of a VariancePreserving, which Edm does not"):
        esd(SimpleNamespace(base=continuous), "red", "green")
