"""The loop: what it learns from, when it stops, that it resumes exactly, and that it never hides a failure."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sfd_core.errors import TrainingDiverged
from sfd_core.families.protocol import LoadedBase
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.training import checkpoint, loop
from sfd_core.training.loop import StepResult
from sfd_core.training.quick import QuickFigures
from sfd_core.training.state import TrainingState, start
from sfd_core.training.step import TrainingStep
from tests.support.training import train

CPU = torch.device("cpu")
RequestFor = Callable[..., UnlearningRequest]


def begin(base: LoadedBase, request: UnlearningRequest) -> TrainingState:
    return start(base, request.recipe, request.seed, CPU)


def take(steps: Iterator[StepResult], n: int) -> list[StepResult]:
    return [next(steps) for _ in range(n)]


def weights(state: TrainingState) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{key}": value.clone()
        for name in ("generator", "fake_score", "average")
        for key, value in getattr(state, name).state_dict().items()
    }


def same(a: TrainingState, b: TrainingState) -> bool:
    first, second = weights(a), weights(b)
    return all(torch.equal(first[key], second[key]) for key in first)


def figures(state: TrainingState, good: bool) -> QuickFigures:
    return QuickFigures(state.step, state.images, state.seconds, 1.0, 1.0, good)


def test_a_run_spends_its_images_and_changes_both_networks(tiny_base: LoadedBase, request_for: RequestFor) -> None:
    request = request_for()
    state = begin(tiny_base, request)
    before = weights(state)
    steps = list(train(state, tiny_base, request))
    assert [s.images for s in steps] == [8, 16, 24, 32]
    assert [s.finished for s in steps] == [False, False, False, True]
    after = weights(state)
    for network in ("generator", "fake_score", "average"):
        assert any(not torch.equal(before[k], after[k]) for k in before if k.startswith(network)), network


def test_the_teacher_stays_as_it_was(tiny_base: LoadedBase, request_for: RequestFor) -> None:
    before = copy.deepcopy(tiny_base.network.state_dict())
    list(train(begin(tiny_base, request_for()), tiny_base, request_for()))
    assert all(torch.equal(before[key], value) for key, value in tiny_base.network.state_dict().items())


def test_the_teacher_takes_no_memory_beside_the_base_model(
    tiny_base: LoadedBase, request_for: RequestFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[TrainingStep] = []

    class Seen(TrainingStep):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            steps.append(self)

    monkeypatch.setattr("sfd_core.training.loop.TrainingStep", Seen)
    request = request_for()
    state = begin(tiny_base, request)
    next(train(state, tiny_base, request))
    base = {weight.data_ptr() for weight in tiny_base.network.parameters()}
    assert {weight.data_ptr() for weight in steps[0].phi.network.parameters()} == base
    for own in (state.generator, state.fake_score, state.average):
        assert base.isdisjoint(weight.data_ptr() for weight in own.parameters())


def test_the_same_seed_gives_the_same_weights_and_another_seed_does_not(
    tiny_base: LoadedBase, request_for: RequestFor
) -> None:
    states = []
    for seed in (3, 3, 4):
        request = request_for(seed=seed)
        states.append(begin(tiny_base, request))
        list(train(states[-1], tiny_base, request))
    assert same(states[0], states[1])
    assert not same(states[0], states[2])


@pytest.mark.parametrize(
    ("override", "recipe"),
    [
        ("green", {}),
        ({"random": True}, {}),
        ({"judge": True}, {}),
        ({"random": True}, {"fake_score_updates": 3}),
        ("green", {"precision": "bf16-weights"}),
    ],
)
def test_a_resumed_run_is_bit_equal_to_an_uninterrupted_one(
    tiny_base: LoadedBase, request_for: RequestFor, tmp_path: object, override: object, recipe: dict[str, Any]
) -> None:
    request = request_for(recipe, forget=[{"concept": "red", "override": override}])

    def judge(x: torch.Tensor) -> torch.Tensor:
        return x.mean((1, 2, 3))[:, None] * torch.tensor([1.0, 2.0, -1.0, 0.5])

    whole = begin(tiny_base, request)
    list(train(whole, tiny_base, request, judge=judge))

    first = begin(tiny_base, request)
    take(train(first, tiny_base, request, judge=judge), 2)
    checkpoint.save(first, tmp_path)  # type: ignore[arg-type]
    resumed = begin(tiny_base, request)
    assert checkpoint.restore_newest(resumed, [tmp_path]) is not None  # type: ignore[list-item]
    assert resumed.step == 2
    list(train(resumed, tiny_base, request, judge=judge))
    assert same(whole, resumed)
    assert not same(whole, first), "the comparison would accept anything"


def test_micro_batches_give_the_same_step(tiny_base: LoadedBase, request_for: RequestFor) -> None:
    whole, pieces = request_for(), request_for({"micro_batch": 3})
    a, b = begin(tiny_base, whole), begin(tiny_base, pieces)
    first, second = next(train(a, tiny_base, whole)), next(train(b, tiny_base, pieces))
    assert first.loss_generator == pytest.approx(second.loss_generator, rel=1e-4)
    assert first.loss_fake_score == pytest.approx(second.loss_fake_score, rel=1e-4)
    # Adam's first step is the gradient's sign: only where the gradient is nothing but rounding may signs differ.
    moved_a, moved_b = weights(a), weights(b)
    agreeing = sum(int(torch.isclose(moved_a[k], moved_b[k], atol=1e-5).sum()) for k in moved_a)
    assert agreeing / sum(v.numel() for v in moved_a.values()) > 0.98


def test_two_stages_distil_first_with_nothing_forgotten(tiny_base: LoadedBase, request_for: RequestFor) -> None:
    """Up to the last distilling step, what is to be forgotten has no influence; from then on it has."""
    runs = []
    for override in ("green", "blue"):
        request = request_for({"distil_images": 16}, forget=[{"concept": "red", "override": override}])
        state = begin(tiny_base, request)
        steps = train(state, tiny_base, request)
        take(steps, 2)
        distilled = weights(state)
        list(steps)
        runs.append((distilled, weights(state)))
    (distilled_a, end_a), (distilled_b, end_b) = runs
    assert all(torch.equal(distilled_a[k], distilled_b[k]) for k in distilled_a)
    assert any(not torch.equal(end_a[k], end_b[k]) for k in end_a)


def test_a_budget_of_seconds_ends_the_run(
    tiny_base: LoadedBase, request_for: RequestFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = itertools.count()
    monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=lambda: next(looks)))  # a step takes a second
    request = request_for(budget={"images": 10_000_000, "seconds": 2.5})
    steps = list(train(begin(tiny_base, request), tiny_base, request))
    assert [(step.seconds, step.finished) for step in steps] == [(1, False), (2, False), (3, True)]


@pytest.mark.parametrize("network", ["generator", "fake_score"])
def test_a_nan_weight_is_an_error_at_once(tiny_base: LoadedBase, request_for: RequestFor, network: str) -> None:
    request = request_for()
    state = begin(tiny_base, request)
    with torch.no_grad():
        next(getattr(state, network).parameters()).fill_(float("nan"))
    with pytest.raises(TrainingDiverged, match="step 1"):
        next(train(state, tiny_base, request))


def test_images_that_run_away_are_an_error(tiny_base: LoadedBase, request_for: RequestFor) -> None:
    request = request_for()
    state = begin(tiny_base, request)
    with torch.no_grad():
        state.generator.conv_out.bias.fill_(1e4)
    with pytest.raises(TrainingDiverged, match="mean magnitude"):
        next(train(state, tiny_base, request))


def test_an_infinite_gradient_never_reaches_a_weight(tiny_base: LoadedBase, request_for: RequestFor) -> None:
    request = request_for()
    state = begin(tiny_base, request)
    next(state.fake_score.parameters()).register_hook(lambda g: g * float("inf"))
    before = weights(state)
    with pytest.raises(TrainingDiverged, match="a gradient of the fake score"):
        next(train(state, tiny_base, request))
    assert all(torch.equal(before[k], v) for k, v in weights(state).items())


@pytest.mark.parametrize("precision", ["bf16", "bf16-weights"])
def test_bf16_runs_and_stays_finite(tiny_base: LoadedBase, request_for: RequestFor, precision: str) -> None:
    request = request_for({"precision": precision})
    steps = list(train(begin(tiny_base, request), tiny_base, request))
    assert all(abs(s.loss_generator) < 1e6 for s in steps)
