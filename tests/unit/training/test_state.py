"""How a run begins: three networks from one or two, an optimiser for each that is trained, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sfd_core.errors import InvalidRequest
from sfd_core.families.parameterization import linear_schedule
from sfd_core.families.protocol import LoadedBase
from sfd_core.request.recipe import Recipe
from sfd_core.training import state as module
from sfd_core.training.state import TrainingState, start, update_average
from tests.support.linear import LinearNetwork

CPU = torch.device("cpu")
DISTILLED = SimpleNamespace(generator="distilled/generator", fake_score="distilled/fake_score", t_init=440)
OWN = ("generator", "fake_score", "average")


class Sparing(LinearNetwork):
    """A network that is told how to save memory."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.told: list[str] = []

    def enable_gradient_checkpointing(self) -> None:
        self.told.append("checkpointing")

    def set_attention_slice(self, size: str) -> None:
        self.told.append(f"slicing {size}")


class Family:
    """Its networks are told by the seed: 20 is the distilled generator, 30 the distilled fake score."""

    def load_network(self, folder: Path) -> Sparing:
        return Sparing({"generator": 20, "fake_score": 30}[folder.relative_to("models/x/distilled").name])


@pytest.fixture(autouse=True)
def family(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "family_of", lambda name: {"linear": Family()}[name])
    monkeypatch.setattr(module, "describe", lambda name: {"linear": SimpleNamespace(adapters=("to_q", "to_k"))}[name])


def base_of(distilled: Any = None) -> LoadedBase:
    model: Any = SimpleNamespace(name="x", family="linear", folder=Path("models/x"), distilled=distilled)
    return LoadedBase(model, Sparing(10), linear_schedule())


def begin(base: LoadedBase, **recipe: Any) -> TrainingState:
    return start(base, Recipe(**recipe), 5, CPU)


def own(state: TrainingState) -> list[Any]:
    return [getattr(state, name) for name in OWN]


def is_of(network: LinearNetwork, seed: int) -> bool:
    return torch.equal(network.W, LinearNetwork(seed).W)


def test_all_three_are_copies_of_the_base_model() -> None:
    base = base_of()
    state = begin(base)
    networks = [base.network, *(getattr(state, name) for name in OWN)]
    assert all(is_of(network, 10) for network in networks)
    assert len({weight.data_ptr() for network in networks for weight in network.parameters()}) == 8
    assert not any(network.training for network in networks[1:])
    trained = [[weight.requires_grad for weight in network.parameters()] for network in networks[1:]]
    assert trained == [[True, True], [True, True], [False, False]]


def test_nothing_has_happened_yet() -> None:
    state, other = begin(base_of()), begin(base_of())
    assert (state.step, state.images, state.seconds, state.curve) == (0, 0, 0.0, [])
    assert state.curve is not other.curve
    assert torch.equal(state.rng.get_state(), torch.Generator().manual_seed(5).get_state())


def test_each_optimiser_moves_its_own_network_as_the_recipe_says() -> None:
    settings = {"adam_beta1": 0.1, "adam_beta2": 0.9, "adam_epsilon": 1e-5}
    state = begin(base_of(), lr_generator=0.01, lr_fake_score=0.02, **settings)
    for name, lr in (("generator", 0.01), ("fake_score", 0.02)):
        (group,) = getattr(state, f"optimizer_{name}").param_groups
        assert [id(weight) for weight in group["params"]] == [id(w) for w in getattr(state, name).parameters()]
        assert (group["lr"], group["betas"], group["eps"]) == (lr, (0.1, 0.9), 1e-5)


@pytest.mark.parametrize(
    ("recipe", "epsilon"),
    [
        ({}, 1e-8),
        ({"precision": "bf16"}, 1e-6),
        ({"precision": "bf16-weights"}, 1e-4),
        ({"precision": "bf16", "adam_epsilon": 1e-8}, 1e-8),
        ({"precision": "bf16-weights", "adam_epsilon": 1e-6}, 1e-6),
    ],
)
def test_adams_epsilon_is_larger_in_half_precision_where_none_is_said(recipe: Any, epsilon: float) -> None:
    state = begin(base_of(), **recipe)
    for optimizer in (state.optimizer_generator, state.optimizer_fake_score):
        assert [group["eps"] for group in optimizer.param_groups] == [epsilon]


def test_what_is_trained_is_kept_in_bf16_where_the_recipe_says_so() -> None:
    """With its gradients and what Adam keeps; the average follows in float32, where a small change counts."""
    base = base_of()
    state = begin(base, precision="bf16-weights", lr_generator=0.01)
    types = [{weight.dtype for weight in network.parameters()} for network in (base.network, *own(state))]
    assert types == [{torch.float32}, {torch.bfloat16}, {torch.bfloat16}, {torch.float32}]
    for weight in state.generator.parameters():
        weight.grad = torch.ones_like(weight)
    state.optimizer_generator.step()
    kept = state.optimizer_generator.state[state.generator.W]
    assert (kept["exp_avg"].dtype, kept["exp_avg_sq"].dtype) == (torch.bfloat16, torch.bfloat16)
    before = state.average.W.clone()
    update_average(state.average, state.generator, 0.9999, 10**6)
    expected = before.double() + 1e-4 * (state.generator.W.detach().double() - before.double())
    torch.testing.assert_close(state.average.W.double(), expected, rtol=0, atol=1e-7)
    assert not torch.equal(state.average.W, before), "it would stand still in bf16"


def test_adapters_and_what_they_lie_over_stay_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "add_lora", lambda *_: None)
    base = base_of()
    state = begin(base, precision="bf16-weights", lora_rank_fake_score=4)
    assert [network.W.dtype for network in own(state)] == [torch.bfloat16, torch.float32, torch.float32]
    assert state.fake_score.W is base.network.W


def test_no_weights_of_their_own_to_keep_in_bf16() -> None:
    with pytest.raises(InvalidRequest) as refused:
        Recipe(precision="bf16-weights", lora_rank_generator=4, lora_rank_fake_score=4)
    assert [error.pointer for error in refused.value.errors] == ["/precision"]
    assert "say bf16" in str(refused.value)


@pytest.mark.parametrize(
    ("recipe", "told"),
    [
        ({}, []),
        ({"gradient_checkpointing": True}, ["checkpointing"]),
        ({"attention_slicing": True}, ["slicing auto"]),
    ],
)
def test_what_is_trained_is_told_to_save_memory_where_the_recipe_says_so(recipe: Any, told: list[str]) -> None:
    state = begin(base_of(), **recipe)
    assert (state.generator.told, state.fake_score.told, state.average.told) == (told, told, [])


def test_adapters_lie_over_the_shared_frozen_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[tuple[Any, ...]] = []

    def add(network: LinearNetwork, *how: Any) -> None:
        added.append(how)
        network.told = [str(how[1])]  # type: ignore[attr-defined]

    monkeypatch.setattr(module, "add_lora", add)
    base = base_of()
    state = begin(base, lora_rank_generator=4, lora_rank_fake_score=8)
    modules = ("to_q", "to_k")
    assert added == [(modules, 4, "generator", 5), (modules, 4, "generator", 5), (modules, 8, "fake_score", 5)]
    assert [getattr(state, name).told for name in OWN] == [["4"], ["8"], ["4"]]
    assert all(getattr(state, name).W is base.network.W for name in OWN)
    assert len({id(getattr(state, name)) for name in OWN} | {id(base.network)}) == 4


def test_one_of_two_may_have_an_adapter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "add_lora", lambda *_: None)
    base = base_of()
    state = begin(base, lora_rank_generator=1)
    assert state.generator.W is state.average.W is base.network.W
    assert state.fake_score.W is not base.network.W


@pytest.mark.parametrize(
    ("choice", "distilled", "seeds"),
    [
        ("auto", None, (10, 10)),
        ("base_model", None, (10, 10)),
        ("base_model", DISTILLED, (10, 10)),
        ("auto", DISTILLED, (20, 30)),
        ("distilled", DISTILLED, (20, 30)),
    ],
)
def test_where_generator_and_fake_score_begin(choice: str, distilled: Any, seeds: tuple[int, int]) -> None:
    state = begin(base_of(distilled), start=choice)
    assert is_of(state.generator, seeds[0])
    assert is_of(state.average, seeds[0])
    assert is_of(state.fake_score, seeds[1])
