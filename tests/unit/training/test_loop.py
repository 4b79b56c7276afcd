"""The loop's own part: which stage a step belongs to, the average, what is evaluated when, and when it is over."""

from __future__ import annotations

import copy
import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from sfd_core.families.parameterization import linear_schedule
from sfd_core.families.protocol import ConditionTable, LoadedBase, TrainingPlan
from sfd_core.request.concepts import Budget
from sfd_core.request.recipe import Recipe
from sfd_core.training import loop
from sfd_core.training.conditions import ConditionSampler
from sfd_core.training.loop import StepResult
from sfd_core.training.quick import QuickFigures
from sfd_core.training.state import TrainingState, update_average
from sfd_core.training.step import TrainingStep
from sfd_core.training.stopping import spent
from tests.support.linear import LinearNetwork, LinearScore

CPU = torch.device("cpu")
RECIPE = Recipe(deep_weight=0, batch=4, forgotten_share=0.5, ema=0.4, evaluate_every=3, lr_generator=0.01)
PLAN = TrainingPlan(
    LinearScore, ConditionTable([[0]], [1, 2], {0: [1]}), ConditionTable(forgotten=[], remaining=[0], overrides={})
)


def state_of(recipe: Recipe = RECIPE) -> TrainingState:
    theta, psi = LinearNetwork(1), LinearNetwork(2)
    adams = [torch.optim.Adam(n.parameters(), 0.01, (0.0, 0.999)) for n in (theta, psi)]
    return TrainingState(theta, psi, copy.deepcopy(theta), *adams, torch.Generator().manual_seed(7))


def base_of() -> LoadedBase:
    return LoadedBase(None, LinearNetwork(3), linear_schedule())  # type: ignore[arg-type]


def run(state: TrainingState, budget: Budget, recipe: Recipe = RECIPE, **options: Any) -> list[StepResult]:
    request: Any = SimpleNamespace(recipe=recipe, budget=budget)
    return list(loop.train(state, base_of(), request, plan=PLAN, **options))


def figures(state: TrainingState, good: bool = False) -> QuickFigures:
    return QuickFigures(state.step, state.images, state.seconds, 1.0, 0.9, good)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second later whenever somebody looks at it."""
    ticks = itertools.count()
    monkeypatch.setattr("sfd_core.training.loop.time.monotonic", lambda: float(next(ticks)))


def test_a_step_is_told_with_its_number_its_images_its_seconds_and_its_losses(clock: None) -> None:
    state, other = state_of(), state_of()
    results = run(state, Budget(images=12))
    assert [(r.step, r.images, r.seconds, r.finished) for r in results] == [
        (1, 4, 1.0, False),
        (2, 8, 2.0, False),
        (3, 12, 3.0, True),
    ]
    assert (state.step, state.images, state.seconds, state.curve) == (3, 12, 3.0, [])
    scores = (LinearScore(n) for n in (base_of().network, other.fake_score, other.generator))
    sampler = ConditionSampler(PLAN.forgetting, RECIPE, CPU)
    psi, theta = TrainingStep(*scores, None, linear_schedule(), RECIPE, None)(other, sampler, sampler.draw(other.rng))
    assert (results[0].loss_fake_score, results[0].loss_generator) == (psi, theta)


def test_the_base_model_is_left_as_it_was_and_gets_no_gradient() -> None:
    base, request = base_of(), SimpleNamespace(recipe=RECIPE, budget=Budget(images=4))
    list(loop.train(state_of(), base, request, plan=PLAN))  # type: ignore[arg-type]
    assert torch.equal(base.network.W, LinearNetwork(3).W)
    assert base.network.W.grad is None


@pytest.mark.parametrize("start", [3, 20], ids=["the base model", "a distilled pair"])
def test_the_loss_at_all_times_is_held_against_what_the_generator_started_as(
    start: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, recipe = base_of(), Recipe(**{**RECIPE.__dict__, "deep_weight": 2.0})
    first = base.network if start == 3 else LinearNetwork(start)
    monkeypatch.setattr("sfd_core.training.loop.starting_networks", lambda *_: (first, first))
    ours, theirs = state_of(recipe), state_of(recipe)
    request: Any = SimpleNamespace(recipe=recipe, budget=Budget(images=4))
    (result,) = loop.train(ours, base, request, plan=PLAN)

    networks = (LinearNetwork(3), theirs.fake_score, theirs.generator, LinearNetwork(start))
    step = TrainingStep(*(LinearScore(n) for n in networks), linear_schedule(), recipe, None)
    sampler = ConditionSampler(PLAN.forgetting, recipe, CPU)
    assert step(theirs, sampler, sampler.draw(theirs.rng)) == (result.loss_fake_score, result.loss_generator)
    assert torch.equal(ours.generator.W, theirs.generator.W)
    assert first.W.grad is None


def test_the_average_has_a_short_memory_at_first_and_then_the_recipes() -> None:
    """mean <- d mean + (1 - d) weight with d = min(ema, (1 + k) / (10 + k)) after k steps, from weights that a run
    went through: 0.1 at first, and 0.4 from the fifth step on."""
    state, path = state_of(), [LinearNetwork(1).W.detach().double().numpy()]
    mean, decays = path[0], []
    request: Any = SimpleNamespace(recipe=RECIPE, budget=Budget(images=4 * 9))
    for k, _ in enumerate(loop.train(state, base_of(), request, plan=PLAN)):
        decays.append(min(0.4, (1 + k) / (10 + k)))
        mean = decays[-1] * mean + (1 - decays[-1]) * state.generator.W.detach().double().numpy()
        np.testing.assert_allclose(state.average.W.detach().numpy(), mean, rtol=1e-5, atol=1e-6)
    assert decays[0] == 0.1
    assert decays[3] == pytest.approx(4 / 13)
    assert decays[5:] == [0.4] * 4


def test_an_average_keeps_no_graph() -> None:
    average, generator = LinearNetwork(1), LinearNetwork(2)
    update_average(average, generator, 0.5, 1000)
    torch.testing.assert_close(average.W, (LinearNetwork(1).W + LinearNetwork(2).W) / 2)
    assert average.W.is_leaf


def test_the_first_images_are_distilled_with_nothing_forgotten() -> None:
    state = state_of()
    run(state, Budget(images=16), Recipe(**{**RECIPE.__dict__, "distil_images": 8}))
    asked = [conditions for conditions, _ in state.generator.asked]
    assert asked[0] == asked[1] == [0, 0, 0, 0]
    assert all(conditions[:2] == [0, 0] and set(conditions[2:]) <= {1, 2} for conditions in asked[2:])
    assert len(asked) == 4


def test_a_judge_is_handed_on() -> None:
    plan = TrainingPlan(LinearScore, ConditionTable([[0]], [1, 2], {}, judged=[0]), PLAN.distilling)
    request: Any = SimpleNamespace(recipe=RECIPE, budget=Budget(images=4))
    seen: list[int] = []

    def judge(images: torch.Tensor) -> torch.Tensor:
        seen.append(len(images))
        return torch.zeros(len(images), 4)

    list(loop.train(state_of(), base_of(), request, plan=plan, judge=judge))
    assert seen == [2]


def test_it_is_evaluated_every_so_many_steps_and_after_the_last(clock: None) -> None:
    state = state_of()
    results = run(state, Budget(images=16), quick_evaluation=figures)
    assert [r.step for r in results if r.quick is not None] == [3, 4]
    assert state.curve == [r.quick for r in results if r.quick is not None]
    for result in (results[2], results[3]):
        quick = result.quick
        assert quick is not None
        assert (quick.step, quick.images) == (result.step, result.images)
        assert (quick.loss_generator, quick.loss_fake_score) == (result.loss_generator, result.loss_fake_score)
    assert [r.seconds for r in results] == [1.0, 2.0, 3.0, 4.0], "of training alone"


def remembering(images: int = 0, seconds: float = 0.0) -> Any:
    return SimpleNamespace(images=images, seconds=seconds)


def test_a_budget_is_spent_by_its_last_image_or_its_last_second() -> None:
    budget = Budget(images=100, seconds=8.0)
    assert not spent(remembering(images=99, seconds=7.9), budget)
    assert spent(remembering(images=100), budget)
    assert spent(remembering(seconds=8.0), budget)
    assert not spent(remembering(seconds=1e9), Budget(images=100))
