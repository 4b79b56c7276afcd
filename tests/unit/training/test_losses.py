"""Both losses against hand-computed values and against a second implementation: float64 numpy, gradients derived on
paper instead of by autograd."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from sfd_core.training.losses import OMEGA_MIN, fake_score_loss, generator_loss, omega_of

Array = NDArray[np.float64]


def images(*values: float) -> torch.Tensor:
    """One image a value: two pixels, v and 2v."""
    return torch.tensor([[[[v, 2 * v]]] for v in values], dtype=torch.float64)


def test_fake_score_loss_by_hand() -> None:
    # errors (1, 2) and (3, 6): sums of squares 5 and 45; weighted 1 and 0.5: (5 + 22.5) / 2
    loss = fake_score_loss(images(2.0, 5.0), images(1.0, 2.0), torch.tensor([1.0, 0.5], dtype=torch.float64))
    assert loss.item() == pytest.approx(13.75)


def test_generator_loss_by_hand() -> None:
    # One image: x_g = (1, 2), f_phi = (3, 6), f_psi = (2, 4), alpha = 1.2, w = 0.5.
    # delta = (1, 2); f_phi - x_g = (2, 4), omega = 3; bracket = (0.8, 1.6); inner = 0.8 + 3.2 = 4; L = 0.5 / 3 * 4
    loss = generator_loss(images(1.0), images(3.0), images(2.0), 1.2, torch.tensor([0.5], dtype=torch.float64))
    assert loss.item() == pytest.approx(2 / 3)


def test_with_alpha_one_the_bracket_is_f_psi_minus_x_g() -> None:
    x_g, f_phi, f_psi = (torch.randn(3, 2, 4, 4, dtype=torch.float64, generator=seeded(s)) for s in (1, 2, 3))
    w = torch.ones(3, dtype=torch.float64)
    omega = (f_phi - x_g).abs().mean((1, 2, 3))
    expected = (((f_phi - f_psi) * (f_psi - x_g)).sum((1, 2, 3)) / omega).mean()
    assert generator_loss(x_g, f_phi, f_psi, 1.0, w).item() == pytest.approx(expected.item(), rel=1e-12)


def test_omega_has_a_lower_bound_and_no_gradient() -> None:
    x = images(1.0).requires_grad_()
    omega = omega_of(x, images(1.0))
    assert omega.item() == OMEGA_MIN
    assert not omega.requires_grad


def test_the_sum_runs_over_pixels_and_the_mean_over_the_batch() -> None:
    one, w = images(1.0), torch.ones(1, dtype=torch.float64)
    single = generator_loss(one, 3 * one, 2 * one, 1.2, w)
    twice = generator_loss(*(torch.cat([k * one, k * one]) for k in (1, 3, 2)), 1.2, torch.ones(2, dtype=torch.float64))
    assert twice.item() == pytest.approx(single.item())
    wide = [torch.cat([k * one, k * one], dim=3) for k in (1, 3, 2)]
    assert generator_loss(*wide, 1.2, w).item() == pytest.approx(2 * single.item())


@dataclass
class Linear:
    """A "network" f(x) = W x + b on flat images, in numpy."""

    W: Array
    b: Array

    def __call__(self, x: Array) -> Array:
        return x @ self.W.T + self.b


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.2])
def test_generator_loss_and_its_gradient_against_a_second_implementation(alpha: float) -> None:
    """The gradient flows through x_g and, by x_t, through both networks. For f = W x_t + b and x_t = a x_g + s eps:

    dL/dx_g = w / (omega B) * ( a (P - Q)^T r + (a P - I - alpha a (P - Q))^T delta ),
    with r = (f_phi - x_g) - alpha delta.
    """
    rng = np.random.default_rng(0)
    batch, pixels, a, s = 4, 6, 0.7, 0.6
    phi = Linear(rng.normal(size=(pixels, pixels)), rng.normal(size=pixels))
    psi = Linear(rng.normal(size=(pixels, pixels)), rng.normal(size=pixels))
    x_g, eps, w = rng.normal(size=(batch, pixels)), rng.normal(size=(batch, pixels)), rng.uniform(0.1, 2, batch)

    x_t = a * x_g + s * eps
    f_phi, f_psi = phi(x_t), psi(x_t)
    delta = f_phi - f_psi
    r = (f_phi - x_g) - alpha * delta
    omega = np.abs(f_phi - x_g).mean(axis=1)
    loss = float(np.mean(w / omega * (delta * r).sum(axis=1)))
    difference = phi.W - psi.W
    by_delta = r @ (a * difference)
    by_bracket = delta @ (a * phi.W - np.eye(pixels) - alpha * a * difference)
    gradient = (w / omega / batch)[:, None] * (by_delta + by_bracket)

    def shaped(x: Array) -> torch.Tensor:
        return torch.tensor(x).view(batch, 1, 2, 3)

    g = shaped(x_g).requires_grad_()
    noised = a * g + s * shaped(eps)

    def ours(net: Linear) -> torch.Tensor:
        return (noised.flatten(1) @ torch.tensor(net.W).T + torch.tensor(net.b)).view_as(g)

    result = generator_loss(g, ours(phi), ours(psi), alpha, torch.tensor(w))
    result.backward()  # type: ignore[no-untyped-call]
    assert g.grad is not None
    assert result.item() == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(g.grad.flatten(1).numpy(), gradient, rtol=1e-10)


def test_fake_score_gradient_against_a_second_implementation() -> None:
    """dL/d eps_psi = 2 w (eps_psi - eps) / B."""
    rng = np.random.default_rng(1)
    predicted, eps, w = rng.normal(size=(3, 1, 2, 2)), rng.normal(size=(3, 1, 2, 2)), rng.uniform(0.1, 2, 3)
    ours = torch.tensor(predicted, requires_grad=True)
    fake_score_loss(ours, torch.tensor(eps), torch.tensor(w)).backward()  # type: ignore[no-untyped-call]
    assert ours.grad is not None
    np.testing.assert_allclose(ours.grad.numpy(), 2 * w[:, None, None, None] * (predicted - eps) / 3, rtol=1e-12)


def test_the_bracket_has_a_fake_score_of_its_own_where_one_is_given() -> None:
    # x_g = (1, 2), f_phi = (3, 6), f_psi = (2, 4), f_psi3 = (2.5, 5), alpha = 1.2, w = 1: delta = (1, 2),
    # bracket = (2, 4) - 1.2 (0.5, 1) = (1.4, 2.8); inner = 1.4 + 5.6 = 7; omega = 3
    w = torch.ones(1, dtype=torch.float64)
    loss = generator_loss(images(1.0), images(3.0), images(2.0), 1.2, w, images(2.5))
    assert loss.item() == pytest.approx(7 / 3)
    same = generator_loss(images(1.0), images(3.0), images(2.0), 1.2, w)
    assert generator_loss(images(1.0), images(3.0), images(2.0), 1.2, w, images(2.0)).item() == same.item()


def test_a_perfect_image_divides_by_a_hundred_thousandth() -> None:
    w = torch.ones(1, dtype=torch.float64)
    # delta = (1, 2), bracket = -0.5 delta: inner = -2.5
    loss = generator_loss(images(1.0), images(1.0), images(0.0), 0.5, w)
    assert loss.item() == pytest.approx(-2.5e5)
