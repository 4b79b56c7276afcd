"""Two processes and one: the same draws, losses and gradients, whatever a batch is divided into; and the same end."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sfd_core.errors import TrainingDiverged
from sfd_core.families.parameterization import linear_schedule
from sfd_core.families.protocol import ConditionTable, LoadedBase, TrainingPlan
from sfd_core.request.concepts import Budget
from sfd_core.request.recipe import Recipe
from sfd_core.training import ranks as module
from sfd_core.training.conditions import ConditionSampler
from sfd_core.training.loop import follow, train
from sfd_core.training.ranks import ALONE, Next, ProcessGroup, Ranks
from sfd_core.training.state import TrainingState
from sfd_core.training.step import TrainingStep
from tests.support.linear import UNGUIDED, LinearNetwork, LinearScore
from tests.support.ranks import CPU, in_ranks

CLOSE = 1e-6
TABLE = ConditionTable(forgotten=[[0]], remaining=[1, 2], overrides={0: [1, 2]}, dropped=UNGUIDED)
JUDGED = ConditionTable(forgotten=[[0]], remaining=[1, 2], overrides={}, judged=[0], dropped=UNGUIDED)
GUIDED: dict[str, Any] = {"kappa1": 1.5, "kappa2": 2.0, "kappa3": 2.5, "kappa4": 3.0, "condition_dropout": 0.3}
RECIPES: dict[str, dict[str, Any]] = {
    "whole": {"batch": 8, "forgotten_share": 0.25},
    "odd": {"batch": 7, "forgotten_share": 0.45, "forget_weight": 0.3},
    "one forgotten image": {"batch": 5, "forgotten_share": 0.2, "deep_share": 0.2},
    "one image each": {"batch": 2, "forgotten_share": 0.5, "deep_share": 1.0},
    "in pieces": {"batch": 9, "forgotten_share": 0.25, "micro_batch": 2, "deep_share": 1.0},
    "guided": {"batch": 7, "forgotten_share": 0.45, **GUIDED, "deep_kappa": 1.7},
    "not deep": {"batch": 8, "forgotten_share": 0.25, "deep_weight": 0.0},
    "two updates": {"batch": 7, "forgotten_share": 0.45, "fake_score_updates": 2, **GUIDED},
    "judged": {"batch": 7, "forgotten_share": 0.6, "deep_share": 1.0},
}


def recipe_of(name: str) -> Recipe:
    return Recipe(**{"clip_value": 1e6, "t_init": 300, "t_min": 30, "t_max": 600, **RECIPES[name]})


def state_of(ranks: Ranks = ALONE) -> TrainingState:
    theta, psi = LinearNetwork(1), LinearNetwork(2)
    descents: list[Any] = [torch.optim.SGD(network.parameters(), 0.01) for network in (theta, psi)]
    rng = torch.Generator().manual_seed(7)
    return TrainingState(theta, psi, copy.deepcopy(theta), *descents, rng, ranks=ranks)


def judge(images: Tensor) -> Tensor:
    """Sees condition 1 where the first pixel is bright, else 2."""
    bright = images[:, 0, 0, 0] > 0
    return torch.stack([bright * 0.0, bright * 1.0, ~bright * 1.0, bright * 0.0], dim=1)


def stepped(ranks: Ranks, name: str) -> dict[str, Any]:
    """Both losses, the gradients of two steps, and where the draws stand."""
    state, recipe = state_of(ranks), recipe_of(name)
    phi, theta_0 = (LinearNetwork(seed).requires_grad_(False) for seed in (3, 4))
    scores = [LinearScore(network, {1: 2}) for network in (phi, state.fake_score, state.generator, theta_0)]
    step = TrainingStep(*scores, linear_schedule(), recipe, judge)
    sampler = ConditionSampler(JUDGED if name == "judged" else TABLE, recipe, CPU)
    losses = [step(state, sampler, sampler.draw(state.rng, at)) for at in range(2)]
    gradients = [w.grad for network in (state.fake_score, state.generator) for w in network.parameters()]
    asked = [len(conditions) for conditions, _ in state.generator.asked]
    return {"losses": losses, "gradients": gradients, "rng": state.rng.get_state(), "asked": sum(asked)}


class Deaf(Ranks):
    """Takes its share and hears nothing of the others."""

    number, count = 0, 2


def sparse(ranks: Ranks) -> list[Tensor | None]:
    """The second process has no gradient of the first weight, and neither has one of the last."""
    weights = [nn.Parameter(torch.zeros(2, 3)), nn.Parameter(torch.zeros(4)), nn.Parameter(torch.zeros(1))]
    if ranks.number == 0:
        weights[0].grad = torch.full((2, 3), 2.0)
    weights[1].grad = torch.arange(4.0) + ranks.number
    module.BUCKET = 5
    ranks.sum_gradients(weights)
    return [weight.grad for weight in weights]


def rounded(ranks: Ranks) -> Tensor | None:
    """A gradient in bf16: 256 and 3 are 259, which bf16 does not have."""
    weight = nn.Parameter(torch.zeros(2, dtype=torch.bfloat16))
    weight.grad = torch.tensor([[256.0, 1.0], [3.0, -1.0]][ranks.number], dtype=torch.bfloat16)
    ranks.sum_gradients([weight])
    return weight.grad


def diverged(ranks: Ranks) -> str:
    """Only the first image has run away: it is the first process's, and both refuse it."""
    state, recipe = state_of(ranks), recipe_of("not deep")
    with torch.no_grad():
        state.generator.b[0] = 1e6
    scores = [LinearScore(network) for network in (LinearNetwork(3), state.fake_score, state.generator)]
    step = TrainingStep(*scores, None, linear_schedule(), recipe, None)
    sampler = ConditionSampler(TABLE, recipe, CPU)
    with pytest.raises(TrainingDiverged) as refused:
        step(state, sampler, sampler.draw(state.rng))
    return str(refused.value)


def run_of(images: int) -> dict[str, Any]:
    recipe = Recipe(**{**RECIPES["odd"], "evaluate_every": 3, "distil_images": 7})
    plan = TrainingPlan(LinearScore, TABLE, ConditionTable(forgotten=[], remaining=[0], overrides={}))
    model: Any = SimpleNamespace(family="class_unet", distilled=None)
    base = LoadedBase(model, LinearNetwork(3), linear_schedule())
    return {"base": base, "request": SimpleNamespace(recipe=recipe, budget=Budget(images=images)), "plan": plan}


def looped(ranks: Ranks, images: int, leave_after: int) -> dict[str, Any]:
    """A run that ends with its budget, or is left after so many steps."""
    state, run = state_of(ranks), run_of(images)
    if ranks.number:
        follow(state, **run)
    else:
        for result in train(state, **run):
            if result.step == leave_after:
                break
        ranks.say_next(None)
    weights = [w.detach() for network in (state.generator, state.average) for w in network.parameters()]
    return {"step": state.step, "images": state.images, "rng": state.rng.get_state(), "weights": weights}


def apart_by_a_step(ranks: Ranks) -> str:
    """The first process is about to take step 3, the second has read the checkpoint of step 2."""
    state = state_of(ranks)
    state.step = 2
    if ranks.number == 0:
        ranks.say_next(Next(3))
        return ""
    with pytest.raises(RuntimeError) as refused:
        follow(state, **run_of(35))
    return str(refused.value)


def everything(ranks: ProcessGroup) -> dict[str, Any]:
    """All that is asked of two processes, in one start of them."""
    return {
        "steps": {name: stepped(ranks, name) for name in RECIPES},
        "sparse": sparse(ranks),
        "rounded": rounded(ranks),
        "sums": ranks.sums(1.0 + ranks.number, 0.1),
        "diverged": diverged(ranks),
        "apart": apart_by_a_step(ranks),
        "budget": looped(ranks, 35, 0),
        "left": looped(ranks, 700, 4),
        "share": ranks.share(5).tolist(),
    }


@pytest.fixture(scope="module")
def both() -> list[dict[str, Any]]:
    return in_ranks(2, everything)


def largest(tensors: Sequence[Tensor]) -> float:
    return max(t.abs().max().item() for t in tensors)


def apart(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> float:
    """The largest difference, as a share of the largest number."""
    return largest([a - b for a, b in zip(ours, theirs, strict=True)]) / largest(theirs)


@pytest.mark.parametrize("name", RECIPES)
def test_two_processes_have_the_gradients_losses_and_draws_of_one(both: list[dict[str, Any]], name: str) -> None:
    alone = stepped(ALONE, name)
    for each in (process["steps"][name] for process in both):
        assert torch.equal(each["rng"], alone["rng"]), "the draws are others"
        assert apart(each["gradients"], alone["gradients"]) < CLOSE
        for ours, theirs in zip(each["losses"], alone["losses"], strict=True):
            assert ours == pytest.approx(theirs, rel=CLOSE)
    first, second = (process["steps"][name] for process in both)
    assert first["losses"] == second["losses"]
    assert all(torch.equal(a, b) for a, b in zip(first["gradients"], second["gradients"], strict=True))
    assert first["asked"] + second["asked"] == alone["asked"], "an image was drawn twice, or by nobody"
    assert first["asked"] < alone["asked"]


def test_a_process_that_does_not_hear_the_other_has_other_gradients() -> None:
    assert apart(stepped(Deaf(), "whole")["gradients"], stepped(ALONE, "whole")["gradients"]) > 0.01


def test_the_images_are_dealt_out(both: list[dict[str, Any]]) -> None:
    assert [process["share"] for process in both] == [[0, 2, 4], [1, 3]]
    assert ALONE.share(3).tolist() == [0, 1, 2]


def test_a_gradient_that_a_process_does_not_have_is_nought(both: list[dict[str, Any]]) -> None:
    for process in both:
        first, second, last = process["sparse"]
        assert torch.equal(first, torch.full((2, 3), 2.0))
        assert torch.equal(second, torch.tensor([1.0, 3.0, 5.0, 7.0]))
        assert last is None, "what no process trains stays without"


def test_sums_are_the_same_bits_everywhere(both: list[dict[str, Any]]) -> None:
    assert [process["sums"] for process in both] == [(3.0, 0.2)] * 2
    assert ALONE.sums(1.0, 0.1) == (1.0, 0.1)
    for process in both:
        assert process["rounded"].dtype == torch.bfloat16
        assert process["rounded"].tolist() == [260.0, 0.0]


def test_all_refuse_what_one_has_seen_run_away(both: list[dict[str, Any]]) -> None:
    assert both[0]["diverged"] == both[1]["diverged"] == diverged(ALONE)
    assert "the generator's images have a mean magnitude of" in both[0]["diverged"]


@pytest.mark.parametrize(("name", "images", "leave_after", "steps"), [("budget", 35, 0, 5), ("left", 700, 4, 4)])
def test_all_leave_the_loop_together(
    both: list[dict[str, Any]], name: str, images: int, leave_after: int, steps: int
) -> None:
    alone = looped(ALONE, images, leave_after)
    assert alone["step"] == steps
    for each in (process[name] for process in both):
        assert (each["step"], each["images"]) == (steps, 7 * steps)
        assert torch.equal(each["rng"], alone["rng"])
        assert apart(each["weights"], alone["weights"]) < 1e-5


def test_an_error_of_the_first_is_left_to_whoever_started_them() -> None:
    said: list[Next | None] = []

    class First(Ranks):
        def say_next(self, what: Next | None) -> None:
            said.append(what)

    def broken() -> None:
        with First().led():
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        broken()
    assert said == []
    with First().led():
        pass
    assert said == [None]


def test_nobody_tells_a_process_that_is_alone() -> None:
    with pytest.raises(RuntimeError, match="nobody tells it"):
        ALONE.told_next()


def test_processes_meet_in_a_folder_of_any_name(tmp_path: Path) -> None:
    """Also of one that would be another in a URL: all jobs of a worker would meet in the same place."""
    folder = tmp_path / "data #1?%20"
    folder.mkdir()
    ranks = ProcessGroup(0, 1, folder / "meeting", CPU)
    assert (folder / "meeting").is_file()
    ranks.leave()


def test_a_process_that_has_read_another_checkpoint_takes_no_step(both: list[dict[str, Any]]) -> None:
    """As where it found the newest one damaged, or an attempt that is over was still writing."""
    assert both[1]["apart"] == "this process stands at step 2, and the one that leads at 3"


def test_a_device_is_named_as_often_as_there_are_processes() -> None:
    assert (ALONE.times("H100"), Deaf().times("H100")) == ("H100", "2 x H100")


def test_gradients_are_added_up_in_few_messages_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUCKET", 10)
    sizes: Callable[[list[int]], list[list[int]]] = lambda numbers: [  # noqa: E731
        [g.numel() for g in bucket] for bucket in module._buckets([torch.zeros(n) for n in numbers])
    ]
    assert sizes([4, 6, 1, 20, 3, 3]) == [[4, 6], [1], [20], [3, 3]]
    assert sizes([]) == []
