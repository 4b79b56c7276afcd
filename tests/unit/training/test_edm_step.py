"""One step of an EDM network against a second implementation: float64 numpy, its losses in x0 and its gradients derived
on paper. The network itself is linear; what is around it is EDM's preconditioning."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sfd_core.families.class_unet.network import ClassUnetScore
from sfd_core.families.edm.parameterization import Edm
from sfd_core.families.edm.scheduler_config import EdmConfig
from sfd_core.families.protocol import ConditionTable
from sfd_core.request.recipe import Recipe
from sfd_core.training.conditions import ConditionSampler
from sfd_core.training.state import TrainingState
from sfd_core.training.step import TrainingStep
from tests.support.linear import PIXELS, LinearNetwork

Array = NDArray[np.float64]
CPU = torch.device("cpu")
TABLE = ConditionTable(forgotten=[[0]], remaining=[1, 2], overrides={0: [1, 2]})
RECIPE = Recipe(
    batch=8,
    forgotten_share=0.25,
    forget_weight=0.3,
    clip_value=1e9,
    t_init=2.5,
    t_min=0.05,
    t_max=24.4,
    deep_weight=0.7,
    deep_share=0.5,
    deep_start_share=0.4,
)
KINDS = [EdmConfig(), EdmConfig(sigma_min=0.02, sigma_max=40.0, sigma_data=0.7, prediction_type="v_prediction")]
LR = 1e-4


class Asked(nn.Module):
    """A linear network as a ``UNet2DModel`` is asked."""

    def __init__(self, network: LinearNetwork) -> None:
        super().__init__()
        self.linear, self.config = network, network.config

    def forward(self, x: Tensor, t: Tensor, class_labels: Tensor, return_dict: bool) -> tuple[Tensor]:
        assert not return_dict
        return (self.linear(x, t, class_labels),)


def network(seed: int) -> Asked:
    made = LinearNetwork(seed)
    made.s.mul_(1000)  # type: ignore[operator]  # a tensor; else the time could be any
    return Asked(made)


def state_of() -> TrainingState:
    """Plain gradient descent: what a weight moves by is the rate times its gradient."""
    theta, psi = network(1), network(2)
    descents: list[Any] = [torch.optim.SGD(each.parameters(), LR) for each in (theta, psi)]
    return TrainingState(theta, psi, copy.deepcopy(theta), *descents, torch.Generator().manual_seed(7))


@dataclass
class Written:
    """``D(x; sigma, c) = c_skip x + c_out (W c_in x + b_c + s ln(sigma) / 4)`` in numpy."""

    W: Array
    b: Array
    s: Array
    kind: EdmConfig

    @classmethod
    def of(cls, module: Asked, kind: EdmConfig) -> Written:
        parts = (module.linear.W, module.linear.b, module.linear.s)
        return cls(*(each.detach().double().numpy().copy() for each in parts), kind)

    def around(self, sigma: Array) -> tuple[Array, Array, Array]:
        """c_in, c_skip, c_out: [n, 1]."""
        sd = self.kind.sigma_data
        spread = np.sqrt(sigma**2 + sd**2)
        out = sigma * sd / spread * (-1 if self.kind.prediction_type == "v_prediction" else 1)
        return 1 / spread, sd**2 / spread**2, out

    def __call__(self, x: Array, sigma: Array, c: Array) -> Array:
        c_in, c_skip, c_out = self.around(sigma)
        return c_skip * x + c_out * (c_in * x @ self.W.T + self.b[c] + np.log(sigma) / 4 * self.s)

    def by_x(self, sigma: Array) -> Array:
        """dD/dx: [n, pixels, pixels]."""
        c_in, c_skip, c_out = (each[..., None] for each in self.around(sigma))
        return c_skip * np.eye(PIXELS) + c_out * c_in * self.W

    def gradients(self, x: Array, sigma: Array, c: Array, by_output: Array) -> tuple[Array, Array]:
        """Of W and b, from that of D."""
        c_in, _, c_out = self.around(sigma)
        by_b = np.zeros_like(self.b)
        np.add.at(by_b, c, c_out * by_output)
        return (c_out * by_output).T @ (c_in * x), by_b


def written_step(state: TrainingState, kind: EdmConfig) -> tuple[list[tuple[Array, Array]], tuple[float, float]]:
    """The gradients of psi and theta, and both losses, in the order of draws that seeds mean."""
    psi, theta, phi, theta_0 = (
        Written.of(each, kind) for each in (state.fake_score, state.generator, network(3), network(4))
    )
    rng, n, sd = state.rng, RECIPE.batch, kind.sigma_data

    def noise(k: int = n) -> Array:
        return torch.randn(k, 1, 2, 3, generator=rng).flatten(1).double().numpy()

    def uniform(k: int) -> Array:
        return torch.rand(k, generator=rng).double().numpy()[:, None]

    def chosen(k: int) -> Array:
        return np.array([1, 2])[torch.randint(0, 2, (k,), generator=rng).numpy()]

    def overridden(c: Array) -> Array:
        return np.array([chosen(1)[0] if each == 0 else each for each in c])

    c = np.concatenate([np.zeros(2, int), chosen(n - 2)])
    w = np.where(c == 0, RECIPE.forget_weight, 1.0)[:, None]
    z = noise()
    s_psi, eps_psi = np.exp(1.2 * torch.randn(n, generator=rng).double().numpy() - 1.2)[:, None], noise()
    low, high = RECIPE.t_min ** (1 / 7), RECIPE.t_max ** (1 / 7)
    s_theta, eps_theta = (low + uniform(n) * (high - low)) ** 7, noise()
    o, start = overridden(c), np.full((n, 1), float(RECIPE.t_init))
    x_g = theta(2.5 * z, start, c)

    x_t = x_g + s_psi * eps_psi
    weight = w * (s_psi**2 + sd**2) / (s_psi * sd) ** 2
    error = psi(x_t, s_psi, c) - x_g
    loss_psi = float(np.mean((weight * error**2).sum(1)))
    by_psi = psi.gradients(x_t, s_psi, c, 2 * weight * error / n)
    moved = Written(psi.W - LR * by_psi[0], psi.b - LR * by_psi[1], psi.s, kind)

    x_t = x_g + s_theta * eps_theta
    f_phi = phi(x_t, s_theta, o)
    delta = f_phi - moved(x_t, s_theta, c)
    bracket = f_phi - x_g - RECIPE.alpha * delta
    scale = w / np.abs(f_phi - x_g).mean(1, keepdims=True) / n
    loss_theta = float((scale * delta * bracket).sum())
    apart = phi.by_x(s_theta) - moved.by_x(s_theta)
    inner = phi.by_x(s_theta) - np.eye(PIXELS) - RECIPE.alpha * apart
    by_image = scale * (np.einsum("np,npq->nq", bracket, apart) + np.einsum("np,npq->nq", delta, inner))
    by_theta = theta.gradients(2.5 * z, start, c, by_image)

    halves = ((np.zeros(2, int), phi), (chosen(2), theta_0))
    for c_deep, asked in halves:
        z, eps = noise(2), noise(2)
        share = uniform(2)
        sigma = np.sqrt(np.exp(19.9 / 2 * share**2 + 0.1 * share) - 1).clip(kind.sigma_min, kind.sigma_max)
        sigma[uniform(2) < RECIPE.deep_start_share] = RECIPE.t_init
        x_t = theta_0(2.5 * z, start[:2], c_deep) + sigma * eps
        difference = theta(x_t, sigma, c_deep) - asked(x_t, sigma, overridden(c_deep))
        weight = RECIPE.deep_weight * (sigma**2 + sd**2) / (sigma * sd) ** 2
        loss_theta += float((weight * difference**2).sum()) / 4
        further = theta.gradients(x_t, sigma, c_deep, 2 * weight * difference / 4)
        by_theta = (by_theta[0] + further[0], by_theta[1] + further[1])
    return [by_psi, by_theta], (loss_psi, loss_theta)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("micro_batch", [None, 3])
def test_a_step_is_what_is_derived_on_paper(kind: EdmConfig, micro_batch: int | None) -> None:
    recipe = Recipe(**{**RECIPE.__dict__, "micro_batch": micro_batch})
    ours, theirs = state_of(), state_of()
    phi, theta_0 = (network(seed).requires_grad_(False) for seed in (3, 4))
    scores = [ClassUnetScore(each, Edm(kind)) for each in (phi, ours.fake_score, ours.generator, theta_0)]
    sampler = ConditionSampler(TABLE, recipe, CPU)
    losses = TrainingStep(*scores, Edm(kind), recipe, None)(ours, sampler, sampler.draw(ours.rng))
    gradients, written = written_step(theirs, kind)
    assert losses == (pytest.approx(written[0], rel=1e-3), pytest.approx(written[1], rel=1e-3))
    for made, derived in zip((ours.fake_score, ours.generator), gradients, strict=True):
        for weight, gradient in zip((made.linear.W, made.linear.b), derived, strict=True):
            np.testing.assert_allclose(weight.grad.numpy(), gradient, rtol=2e-3, atol=1e-3 * np.abs(gradient).max())
    if micro_batch is None:
        assert torch.equal(ours.rng.get_state(), theirs.rng.get_state()), "the draws are others"
