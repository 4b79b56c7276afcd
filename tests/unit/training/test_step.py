"""One step against a second implementation of both updates: float64 numpy, gradients derived on paper. And what a step
refuses."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from sfd_core.errors import TrainingDiverged
from sfd_core.families.parameterization import VariancePreserving, linear_schedule, schedule_from_betas
from sfd_core.families.protocol import ConditionTable
from sfd_core.request.recipe import Recipe
from sfd_core.training.conditions import Conditions, ConditionSampler
from sfd_core.training.state import TrainingState
from sfd_core.training.step import TrainingStep
from tests.support.linear import CONDITIONS, PIXELS, UNGUIDED, LinearNetwork, LinearScore

Array = NDArray[np.float64]
CPU = torch.device("cpu")
TABLE = ConditionTable(forgotten=[[0]], remaining=[1, 2], overrides={0: [1, 2]}, dropped=UNGUIDED)
RECIPE = Recipe(
    batch=8,
    forgotten_share=0.25,
    forget_weight=0.3,
    clip_value=1e6,
    t_init=300,
    t_min=30,
    t_max=600,
    kappa1=1.5,
    kappa2=2.0,
    kappa3=2.5,
    kappa4=3.0,
    condition_dropout=0.3,
    deep_weight=0,
)


class Weighted(VariancePreserving):
    """A schedule whose fake score has times of its own, and whose error in eps counts by time."""

    def fake_score_times(self, n: int, recipe: Recipe, rng: torch.Generator) -> Tensor:
        return torch.randint(200, 400, (n,), generator=rng)

    def error_weight(self, t: Tensor) -> Tensor:
        return t / 100


def weighted() -> VariancePreserving:
    made = schedule_from_betas(linear_schedule().betas)
    return Weighted(made.betas, made.a, made.b)


def state_of(lr: float = 1.0) -> TrainingState:
    """Plain gradient descent: what a weight moves by is lr times its gradient."""
    theta, psi = LinearNetwork(1), LinearNetwork(2)
    descents: list[Any] = [torch.optim.SGD(network.parameters(), lr) for network in (theta, psi)]
    return TrainingState(theta, psi, copy.deepcopy(theta), *descents, torch.Generator().manual_seed(7))


def step_of(
    state: TrainingState,
    recipe: Recipe = RECIPE,
    schedule: VariancePreserving | None = None,
    away: Mapping[int, int] | None = None,
) -> TrainingStep:
    phi = LinearNetwork(3).requires_grad_(False)
    scores = (LinearScore(network, away) for network in (phi, state.fake_score, state.generator))
    theta_0 = LinearScore(LinearNetwork(4).requires_grad_(False), away) if recipe.deep_weight else None
    return TrainingStep(*scores, theta_0, schedule or weighted(), recipe, None)


def sampler_of(recipe: Recipe = RECIPE) -> ConditionSampler:
    return ConditionSampler(TABLE, recipe, CPU)


@dataclass
class Written:
    """A linear network in numpy, and the gradients of its weights."""

    W: Array
    b: Array
    s: Array
    gradients: tuple[Array, Array] | None = None

    @classmethod
    def of(cls, network: LinearNetwork) -> Written:
        return cls(*(each.detach().double().numpy().copy() for each in (network.W, network.b, network.s)))

    def __call__(self, x: Array, t: Array, c: Array, kappa: float = 1.0, n: Array | int = UNGUIDED) -> Array:
        bias = self.b[n] + kappa * (self.b[c] - self.b[n])
        return x @ self.W.T + bias + t[:, None] * self.s

    def step(
        self, x: Array, c: Array, gradient: Array, lr: float, kappa: float = 1.0, n: Array | int = UNGUIDED
    ) -> None:
        """Descend, given dL/df for each image."""
        by_b = np.zeros_like(self.b)
        np.add.at(by_b, c, kappa * gradient)
        np.add.at(by_b, np.broadcast_to(n, c.shape), (1 - kappa) * gradient)
        self.gradients = (gradient.T @ x, by_b)
        self.W -= lr * self.gradients[0]
        self.b -= lr * by_b


def written_step(
    state: TrainingState, schedule: VariancePreserving, recipe: Recipe, lr: float, away: Mapping[int, int] | None = None
) -> tuple[Written, Written, Any]:
    """Theta and psi after one step, and both losses. Draws from the state's generator in the order that seeds mean.
    ``away``: by condition, what psi and phi are guided away from."""
    phi, psi, theta = (Written.of(n) for n in (LinearNetwork(3), state.fake_score, state.generator))
    rng, n = state.rng, recipe.batch

    def levels(t: Tensor) -> tuple[Array, Array]:
        return schedule.a[t].double().numpy()[:, None], schedule.b[t].double().numpy()[:, None]

    def noise() -> Array:
        return torch.randn(n, 1, 2, 3, generator=rng).flatten(1).double().numpy()

    def chosen(of: list[int], k: int) -> Array:
        return np.array(of)[torch.randint(0, len(of), (k,), generator=rng).numpy()]

    def conditions() -> Array:
        # One concept with one condition: neither is drawn.
        return np.concatenate([np.zeros(2, int), chosen([1, 2], n - 2)])

    def away_from(c: Array) -> Array:
        return np.array([(away or {}).get(int(each), UNGUIDED) for each in c])

    def update_psi(x_g: Array, c: Array, c_psi: Array, t: Tensor, eps: Array) -> float:
        a, b = levels(t)
        x_t, n_psi = a * x_g + b * eps, away_from(c_psi)
        error = (x_t - a * psi(x_t, t.double().numpy(), c_psi, recipe.kappa1, n_psi)) / b - eps
        weight = np.where(c == 0, recipe.forget_weight, 1.0) * schedule.error_weight(t).double().numpy()
        psi.step(x_t, c_psi, -2 * a / b * weight[:, None] * error / n, lr, recipe.kappa1, n_psi)
        return float(np.mean(weight * np.square(error).sum(1)))

    c = conditions()
    for _ in range(recipe.fake_score_updates - 1):  # the generator's draws of these batches are not looked at
        other, z, t, eps = conditions(), noise(), schedule.fake_score_times(n, recipe, rng), noise()
        torch.randint(recipe.t_min, recipe.t_max + 1, (n,), generator=rng), noise()
        dropped = torch.rand(n, generator=rng).numpy() < recipe.condition_dropout
        chosen([1, 2], 2)
        x_g = theta(float(schedule.b[recipe.t_init]) * z, np.full(n, float(recipe.t_init)), other)
        update_psi(x_g, other, np.where(dropped, UNGUIDED, other), t, eps)
    w = np.where(c == 0, recipe.forget_weight, 1.0)
    z = noise()
    t_psi, eps_psi = schedule.fake_score_times(n, recipe, rng), noise()
    t_theta, eps_theta = torch.randint(recipe.t_min, recipe.t_max + 1, (n,), generator=rng), noise()
    c_psi = np.where(torch.rand(n, generator=rng).numpy() < recipe.condition_dropout, UNGUIDED, c)
    o = np.array([chosen([1, 2], 1)[0] if each == 0 else each for each in c])
    t_init = np.full(n, float(recipe.t_init))
    n_c, n_o = away_from(c), away_from(o)
    x_0 = float(schedule.b[recipe.t_init]) * z
    x_g = theta(x_0, t_init, c)

    loss_psi = update_psi(x_g, c, c_psi, t_psi, eps_psi)

    a, b = levels(t_theta)
    x_t, t = a * x_g + b * eps_theta, t_theta.double().numpy()
    f_phi = phi(x_t, t, o, recipe.kappa4, n_o)
    delta = f_phi - psi(x_t, t, c, recipe.kappa2, n_c)
    bracket = (f_phi - x_g) - recipe.alpha * (f_phi - psi(x_t, t, c, recipe.kappa3, n_c))
    scale = (w / np.abs(f_phi - x_g).mean(1))[:, None]
    loss_theta = float(np.mean(scale[:, 0] * (delta * bracket).sum(1)))
    apart = a[..., None] * (phi.W - psi.W)
    by_delta = np.einsum("np,npq->nq", bracket, apart)
    by_bracket = np.einsum("np,npq->nq", delta, a[..., None] * phi.W - np.eye(PIXELS) - recipe.alpha * apart)
    theta.step(x_0, c, scale / n * (by_delta + by_bracket), lr)
    return theta, psi, (loss_psi, loss_theta)


def close(network: LinearNetwork, written: Written) -> None:
    """The weights, and, since they hardly move, their gradients too."""
    assert written.gradients is not None
    for ours, theirs, gradient in zip((network.W, network.b), (written.W, written.b), written.gradients, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-3, atol=1e-5)
        assert ours.grad is not None
        np.testing.assert_allclose(ours.grad.numpy(), gradient, rtol=2e-3, atol=1e-3 * np.abs(gradient).max())


@pytest.mark.parametrize(("micro_batch", "updates"), [(None, 1), (8, 1), (3, 1), (None, 3), (3, 2)])
def test_two_steps_are_what_is_derived_on_paper(micro_batch: int | None, updates: int) -> None:
    """Both losses and both networks; the second step starts with no gradient left of the first, and theta's update
    sees the fake score as it is after its own, of which there may be several on batches of their own."""
    recipe = Recipe(**{**RECIPE.__dict__, "micro_batch": micro_batch, "fake_score_updates": updates})
    lr, ours, theirs = 0.005, state_of(0.005), state_of()
    step, sampler = step_of(ours, recipe), sampler_of(recipe)
    for _ in range(2):
        losses = step(ours, sampler, sampler.draw(ours.rng))
        theta, psi, written = written_step(theirs, weighted(), recipe, lr)
        assert losses == (pytest.approx(written[0], rel=1e-3), pytest.approx(written[1], rel=1e-3))
        close(ours.generator, theta)
        close(ours.fake_score, psi)
        assert torch.equal(ours.rng.get_state(), theirs.rng.get_state()), "the draws are others"
        theirs = TrainingState(**{**theirs.__dict__, "generator": ours.generator, "fake_score": ours.fake_score})
        theirs.generator, theirs.fake_score = copy.deepcopy(ours.generator), copy.deepcopy(ours.fake_score)


@pytest.mark.parametrize("away", [{1: 2}, {0: 2, 1: 2}])
def test_a_negative_prompt_guides_whoever_is_asked_for_its_row(away: dict[int, int]) -> None:
    """Of the overrides alone, or of the forgotten condition too, which the fake score is asked for: in its own loss and
    in both places of the generator's. The generator is not guided."""
    lr, ours, theirs = 0.02, state_of(0.02), state_of()
    sampler = sampler_of(RECIPE)
    losses = step_of(ours, RECIPE, away=away)(ours, sampler, sampler.draw(ours.rng))
    theta, psi, written = written_step(theirs, weighted(), RECIPE, lr, away)
    assert losses == (pytest.approx(written[0], rel=1e-3), pytest.approx(written[1], rel=1e-3))
    close(ours.generator, theta)
    close(ours.fake_score, psi)


def test_zero_cfg_asks_the_fake_score_for_the_empty_condition_alone() -> None:
    """And the base model unguided: of the fake score's biases only that of the empty condition moves."""
    kappas = {"kappa1": 0.0, "kappa2": 0.0, "kappa3": 0.0, "kappa4": 1.0}
    recipe, lr = Recipe(**{**RECIPE.__dict__, **kappas}), 0.005
    ours, theirs, sampler = state_of(lr), state_of(), sampler_of(RECIPE)
    before = ours.fake_score.b.detach().clone()
    losses = step_of(ours, recipe)(ours, sampler, sampler.draw(ours.rng))
    theta, psi, written = written_step(theirs, weighted(), recipe, lr)
    assert losses == (pytest.approx(written[0], rel=1e-3), pytest.approx(written[1], rel=1e-3))
    close(ours.generator, theta)
    close(ours.fake_score, psi)
    moved = (ours.fake_score.b.detach() != before).any(dim=1)
    assert moved.tolist() == [condition == UNGUIDED for condition in range(CONDITIONS)]


DEEP = Recipe(**{**RECIPE.__dict__, "deep_weight": 0.7, "deep_share": 0.5, "deep_start_share": 0.4, "deep_kappa": 1.7})


@pytest.mark.parametrize(("micro_batch", "away"), [(None, {}), (1, {}), (None, {1: 2}), (1, {1: 2})])
def test_the_loss_at_all_times_is_what_is_derived_on_paper(micro_batch: int | None, away: dict[int, int]) -> None:
    """Its gradient on top of the generator's, by dL/deps: with f linear, eps = (x_t - a f) / b. What is forgotten is
    held against the teacher, what remains against what theta started as; only a condition that is guided away from
    another (``away``) is guided."""
    recipe = Recipe(**{**DEEP.__dict__, "micro_batch": micro_batch})
    lr, schedule, n = 1e-6, weighted(), 4
    ours, without = state_of(lr), state_of(lr)
    theta, phi, theta_0 = (Written.of(each) for each in (ours.generator, LinearNetwork(3), LinearNetwork(4)))
    rng, sampler = without.rng, sampler_of(recipe)
    losses = step_of(ours, recipe, away=away)(ours, sampler, sampler.draw(ours.rng))
    plain = Recipe(**{**recipe.__dict__, "deep_weight": 0})
    lesser = step_of(without, plain, away=away)(without, sampler, sampler.draw(rng))

    def noise() -> Array:
        return torch.randn(n // 2, 1, 2, 3, generator=rng).flatten(1).double().numpy()

    def chosen(k: int) -> Array:
        return np.array([1, 2])[torch.randint(0, 2, (k,), generator=rng).numpy()]

    deep, further = 0.0, [np.zeros((PIXELS, PIXELS)), np.zeros_like(theta.b)]
    for c, asked in ((np.zeros(2, int), phi), (chosen(2), theta_0)):
        z, eps = noise(), noise()
        t = torch.randint(1000, (n // 2,), generator=rng)
        t[torch.rand(n // 2, generator=rng) < recipe.deep_start_share] = recipe.t_init
        o = np.array([chosen(1)[0] if each == 0 else each for each in c])
        a, b = (each[t].double().numpy()[:, None] for each in (schedule.a, schedule.b))
        x_t = a * theta_0(float(schedule.b[300]) * z, np.full(n // 2, 300.0), c) + b * eps
        at = t.double().numpy()
        guided = asked(x_t, at, o, recipe.deep_kappa, np.array([away.get(int(each), UNGUIDED) for each in o]))
        f_asked = np.where(np.isin(o, list(away))[:, None], guided, asked(x_t, at, o))
        apart = theta(x_t, at, c) - f_asked
        counts = recipe.deep_weight * schedule.error_weight(t).double().numpy()[:, None] * np.square(a / b)
        theta.step(x_t, c, 2 * counts * apart / n, 0)
        assert theta.gradients is not None
        for sum_of, gradient in zip(further, theta.gradients, strict=True):
            sum_of += gradient
        deep += float((counts * np.square(apart)).sum()) / n
    for mine, plainly, more in zip(
        (ours.generator.W, ours.generator.b), (without.generator.W, without.generator.b), further, strict=True
    ):
        assert mine.grad is not None
        assert plainly.grad is not None
        difference = (mine.grad - plainly.grad).double().numpy()
        np.testing.assert_allclose(difference, more, rtol=2e-3, atol=1e-3 * np.abs(more).max())
    assert losses == (pytest.approx(lesser[0], rel=1e-5), pytest.approx(lesser[1] + deep, rel=1e-3))
    assert torch.equal(ours.rng.get_state(), rng.get_state()), "the draws are others"


def test_without_what_is_forgotten_there_is_no_loss_at_all_times() -> None:
    nothing = ConditionSampler(ConditionTable(forgotten=[], remaining=[1, 2], overrides={}), DEEP, CPU)
    deep, plain = state_of(0.01), state_of(0.01)
    for state, recipe in ((deep, DEEP), (plain, RECIPE)):
        step_of(state, recipe)(state, nothing, nothing.draw(state.rng))
    assert torch.equal(deep.generator.W, plain.generator.W)
    assert torch.equal(deep.rng.get_state(), plain.rng.get_state())


def test_a_whole_batch_is_drawn_once_and_a_piece_again_with_its_graph() -> None:
    for pieces, graphs in ((None, [True]), (4, [False, False, True, True])):
        recipe = Recipe(**{**RECIPE.__dict__, "micro_batch": pieces})
        state, sampler = state_of(0.01), sampler_of(recipe)
        step_of(state, recipe)(state, sampler, sampler.draw(state.rng))
        assert [graph for _, graph in state.generator.asked] == graphs


def test_gradients_are_clipped_by_value() -> None:
    """Every weight moves by its gradient, but by no more than the bound."""

    def moved(bound: float) -> dict[str, Tensor]:
        recipe = Recipe(**{**RECIPE.__dict__, "clip_value": bound})
        state, sampler = state_of(), sampler_of(recipe)
        networks = {"fake score": state.fake_score, "generator": state.generator}
        before = {name: network.b.detach().clone() for name, network in networks.items()}
        step_of(state, recipe)(state, sampler, sampler.draw(state.rng))
        return {name: network.b.detach() - before[name] for name, network in networks.items()}

    free = moved(1e6)["fake score"]
    bound = free.abs().median().item()
    assert bound > 0
    torch.testing.assert_close(moved(bound)["fake score"], free.clamp(-bound, bound))
    assert moved(bound)["generator"].abs().max().item() == pytest.approx(bound, rel=1e-4)


def test_the_fake_score_gets_no_gradient_of_the_generators_loss() -> None:
    state, sampler = state_of(0.01), sampler_of()
    before = state.fake_score.W.detach().clone()
    step_of(state)(state, sampler, sampler.draw(state.rng))
    torch.testing.assert_close(
        state.fake_score.W.grad, (before - state.fake_score.W.detach()) / 0.01, rtol=1e-3, atol=1e-3
    )
    assert not any(weight.requires_grad for weight in state.fake_score.parameters())
    assert all(weight.requires_grad for weight in state.generator.parameters())


def painting(value: float) -> TrainingState:
    """A generator whose every pixel is ``value``."""
    state = state_of(0.0)
    with torch.no_grad():
        state.generator.W.zero_()
        state.generator.s.zero_()
        state.generator.b.fill_(value)
    return state


@pytest.mark.parametrize("value", [10.0, -10.0])
def test_images_as_large_as_may_be_are_taken(value: float) -> None:
    state, sampler = painting(value), sampler_of()
    step_of(state)(state, sampler, sampler.draw(state.rng))


@pytest.mark.parametrize("value", [10.01, -11.0])
def test_larger_ones_have_run_away(value: float) -> None:
    state, sampler = painting(value), sampler_of()
    state.step = 5
    message = rf"the generator's images have a mean magnitude of {abs(value):.3g} at step 6; they live in \[-1, 1\]"
    with pytest.raises(TrainingDiverged, match=message):
        step_of(state)(state, sampler, sampler.draw(state.rng))


def test_a_loss_that_is_not_finite_reaches_no_weight() -> None:
    state, sampler = state_of(), sampler_of()
    state.step = 5
    with torch.no_grad():
        state.fake_score.b.fill_(float("inf"))
    before = state.fake_score.W.detach().clone()
    with pytest.raises(TrainingDiverged, match=r"the loss of the fake score is (inf|nan) at step 6"):
        step_of(state)(state, sampler, sampler.draw(state.rng))
    assert torch.equal(before, state.fake_score.W)


@pytest.mark.parametrize(("name", "told"), [("fake_score", "the fake score"), ("generator", "the generator")])
def test_a_gradient_that_is_not_finite_reaches_no_weight(name: str, told: str) -> None:
    state, sampler = state_of(), sampler_of()
    state.step = 5
    network = getattr(state, name)
    network.b.register_hook(lambda g: g * float("inf"))
    before = network.W.detach().clone()
    with pytest.raises(TrainingDiverged, match=f"a gradient of {told} is not finite at step 6"):
        step_of(state)(state, sampler, sampler.draw(state.rng))
    assert torch.equal(before, network.W)


def test_a_process_that_is_gone_is_no_gradient_that_is_not_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of weights in shards the norm is asked of every process, and one that was killed does not answer."""

    def gone(*_: object, **__: object) -> Tensor:
        raise RuntimeError("Connection closed by peer")

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", gone)
    state, sampler = state_of(), sampler_of()
    with pytest.raises(RuntimeError, match="Connection closed by peer"):
        step_of(state)(state, sampler, sampler.draw(state.rng))


def test_a_judge_sees_what_the_fake_score_at_kappa_2_shows_and_chooses_what_the_teacher_is_asked() -> None:
    table = ConditionTable(forgotten=[[0]], remaining=[1, 2], overrides={}, judged=[0])
    state, seen = state_of(0.0), []

    def judge(images: Tensor) -> Tensor:
        seen.append(images)
        return torch.tensor([[0.0, 0.0, 1.0, 0.0]]).repeat(len(images), 1)

    step = step_of(state)
    step.judge = judge
    sampler = ConditionSampler(table, RECIPE, CPU)
    conditions = Conditions(torch.tensor([0, 1, 0]), torch.ones(3))
    step(state, sampler, conditions)
    phi: Any = step.phi.network  # type: ignore[attr-defined]
    assert phi.asked[0][0] == [2, 1, 2]
    assert seen[0].shape == (2, 1, 2, 3)
    assert len(seen) == 1
    assert CONDITIONS == 4
