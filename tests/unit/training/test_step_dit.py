"""One whole step of a guided diffusion transformer against a second implementation: float64, stock networks asked as
``DiTPipeline`` asks them, everything in eps, and the losses as the papers print them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from sfd_core.families.class_conditions import class_conditions
from sfd_core.families.dit.network import DitScore
from sfd_core.families.parameterization import linear_schedule
from sfd_core.request.concepts import Forget
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.recipe import Recipe
from sfd_core.training.conditions import ConditionSampler
from sfd_core.training.state import TrainingState
from sfd_core.training.step import TrainingStep
from tests.support.tiny_dit_model import CONCEPTS, tiny_pipeline

CPU, NULL, LR = torch.device("cpu"), len(CONCEPTS), 1e-3
RECIPE = Recipe(
    batch=6,
    forgotten_share=1 / 3,
    forget_weight=0.3,
    alpha=1.1,
    clip_value=1e6,
    t_init=300,
    t_min=30,
    t_max=600,
    kappa1=1.5,
    kappa2=2.0,
    kappa3=2.5,
    kappa4=3.0,
    condition_dropout=0.3,
    deep_weight=0.7,
    deep_share=4 / 6,
    deep_start_share=0.4,
)
REMAINING, HEN, TENCH = [0, 1, 2, 3], 4, 3


def network(seed: int, learned_range: bool) -> Any:
    torch.manual_seed(seed)
    return tiny_pipeline(learned_range).transformer.eval()


@dataclass
class Written:
    """The second implementation. ``networks``: by letter, in float64. ``rng``: draws in the order that seeds mean."""

    networks: dict[str, Any]
    rng: torch.Generator

    def __post_init__(self) -> None:
        self.alpha_bar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000).double(), 0)

    def eps(self, who: str, x_t: Tensor, t: Tensor, c: Tensor, kappa: float = 1.0) -> Tensor:
        both = self.networks[who](
            torch.cat([x_t, x_t]), timestep=torch.cat([t, t]), class_labels=torch.cat([c, c * 0 + NULL])
        )
        with_c, without = both.sample[:, :4].chunk(2)
        guided: Tensor = without + kappa * (with_c - without)
        return guided

    def levels(self, t: Tensor) -> tuple[Tensor, Tensor]:
        alpha_bar = self.alpha_bar[t].view(-1, 1, 1, 1)
        return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()

    def f(self, who: str, x_t: Tensor, t: Tensor, c: Tensor, kappa: float = 1.0) -> Tensor:
        a, b = self.levels(t)
        return (x_t - b * self.eps(who, x_t, t, c, kappa)) / a

    def noise(self, n: int) -> Tensor:
        return torch.randn(n, 4, 8, 8, generator=self.rng).double()

    def remaining(self, n: int) -> Tensor:
        return torch.tensor(REMAINING)[torch.randint(0, 4, (n,), generator=self.rng)]

    def drawn(self, who: str, z: Tensor, c: Tensor) -> Tensor:
        t = torch.full((len(z),), RECIPE.t_init)
        return self.f(who, self.levels(t)[1] * z, t, c)

    def step(self) -> tuple[float, float]:
        """Both updates; the gradients stay with the networks."""
        r, n = RECIPE, RECIPE.batch
        c = torch.cat([torch.tensor([HEN, HEN]), self.remaining(n - 2)])
        w = torch.where(c == HEN, r.forget_weight, 1.0).double()
        z = self.noise(n)
        t_psi, eps_psi = torch.randint(30, 601, (n,), generator=self.rng), self.noise(n)
        t, eps = torch.randint(30, 601, (n,), generator=self.rng), self.noise(n)
        c_psi = torch.where(torch.rand(n, generator=self.rng) < r.condition_dropout, NULL, c)
        o = torch.where(c == HEN, TENCH, c)

        x_g = self.drawn("theta", z, c)
        a, b = self.levels(t_psi)
        x_t = a * x_g.detach() + b * eps_psi
        error = (self.eps("psi", x_t, t_psi, c_psi, r.kappa1) - eps_psi).square().flatten(1).sum(1)
        loss_psi = (w * error).mean()
        loss_psi.backward()
        for weight in self.networks["psi"].parameters():
            weight.data -= LR * weight.grad
            weight.requires_grad_(False)

        a, b = self.levels(t)
        x_t = a * x_g + b * eps
        f_phi = self.f("phi", x_t, t, o, r.kappa4)
        delta, delta3 = (f_phi - self.f("psi", x_t, t, c, kappa) for kappa in (r.kappa2, r.kappa3))
        omega = (f_phi - x_g).detach().abs().flatten(1).mean(1)
        loss = (w / omega * (delta * (f_phi - x_g - r.alpha * delta3)).flatten(1).sum(1)).mean()
        for c, asked in ((torch.tensor([HEN, HEN]), "phi"), (self.remaining(2), "theta_0")):
            z, eps = self.noise(2), self.noise(2)
            t = torch.randint(1000, (2,), generator=self.rng)
            t[torch.rand(2, generator=self.rng) < r.deep_start_share] = int(r.t_init)
            a, b = self.levels(t)
            with torch.no_grad():
                x_t = a * self.drawn("theta_0", z, c) + b * eps
                eps_asked = self.eps(asked, x_t, t, torch.where(c == HEN, TENCH, c))
            apart = (self.eps("theta", x_t, t, c) - eps_asked).square().flatten(1).sum(1)
            loss = loss + r.deep_weight * apart.sum() / 4
        loss.backward()
        return loss_psi.item(), loss.item()


@pytest.mark.parametrize("learned_range", [True, False])
@pytest.mark.parametrize("micro_batch", [None, 4])
def test_a_step_is_the_papers(micro_batch: int | None, learned_range: bool) -> None:
    recipe = Recipe(**{**RECIPE.__dict__, "micro_batch": micro_batch})
    networks = {name: network(i, learned_range) for i, name in enumerate(("theta", "psi", "phi", "theta_0"))}
    for name in ("phi", "theta_0"):
        networks[name].requires_grad_(False)
    written = Written(
        {name: copy.deepcopy(each).double() for name, each in networks.items()}, torch.Generator().manual_seed(7)
    )
    theta, psi = networks["theta"], networks["psi"]
    descents = [torch.optim.SGD(each.parameters(), LR) for each in (theta, psi)]
    state = TrainingState(theta, psi, copy.deepcopy(theta), *descents, torch.Generator().manual_seed(7))  # type: ignore[arg-type]
    schedule = linear_schedule()
    scores = [DitScore(networks[name], schedule) for name in ("phi", "psi", "theta", "theta_0")]
    step = TrainingStep(*scores, schedule, recipe, None)
    table = class_conditions([Forget("hen", FixedOverride("tench"))], CONCEPTS, NULL)
    sampler = ConditionSampler(table, recipe, CPU)

    losses = step(state, sampler, sampler.draw(state.rng))
    assert losses == pytest.approx(written.step(), rel=1e-3)
    assert torch.equal(state.rng.get_state(), written.rng.get_state()), "the draws are others"
    for ours, theirs in ((theta, written.networks["theta"]), (psi, written.networks["psi"])):
        largest = max(float(weight.grad.abs().max()) for weight in theirs.parameters())
        for (name, weight), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            # A bias of all keys changes no attention: its gradient is rounding alone.
            atol = 1e-3 * float(other.grad.abs().max()) + 1e-6 * largest
            difference = (weight.grad - other.grad).abs() - 2e-3 * other.grad.abs()
            assert float(difference.max()) <= atol, name
    moved = dict(written.networks["psi"].named_parameters())
    for name, weight in psi.named_parameters():
        torch.testing.assert_close(weight.double(), moved[name], rtol=1e-3, atol=1e-4)
