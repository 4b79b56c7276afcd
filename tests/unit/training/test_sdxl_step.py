"""One whole step of Stable Diffusion XL, guided, against a second implementation in float64: stock networks asked with
what the stock pipeline embeds, both losses written out, their gradients by autograd."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline
from torch import Tensor

from sfd_core.admission import admit
from sfd_core.families.loading import load_base
from sfd_core.families.registry import family_of
from sfd_core.training.conditions import Conditions, ConditionSampler
from sfd_core.training.state import TrainingState
from sfd_core.training.step import TrainingStep
from tests.support.tiny_sdxl import make_tiny_sdxl

CPU = torch.device("cpu")
LR = 1e-3
SIDE = 16
ASKED = ["a pistol", "a cat", "a dog", "a cat"]
"""What the four images are asked for; the first is forgotten."""
RECIPE = {
    "batch": 4,
    "forgotten_share": 0.25,
    "forget_weight": 0.3,
    "clip_value": 1e6,
    "deep_weight": 0,
    "kappa1": 1.5,
    "kappa2": 2.0,
    "kappa3": 2.5,
    "kappa4": 3.0,
    "condition_dropout": 0.5,
    "precision": "fp32",
}


def moved(network: torch.nn.Module, seed: int) -> torch.nn.Module:
    """The same network with other weights, to be trained."""
    other, g = copy.deepcopy(network).requires_grad_(True), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=g))
    return other


class Written:
    """The second implementation: ``networks`` in float64, the stock pipeline ``pipe`` for the prompts."""

    def __init__(self, pipe: Any, phi: Any, psi: Any, theta: Any, schedule: EulerDiscreteScheduler) -> None:
        self.pipe = pipe
        self.phi, self.psi, self.theta = (copy.deepcopy(network).double() for network in (phi, psi, theta))
        alpha_bar = torch.cumprod(1 - schedule.betas.double(), 0)
        self.a, self.b = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()

    @torch.no_grad()
    def prompts(self, prompts: list[str | None]) -> tuple[Tensor, Tensor]:
        """Hidden and pooled states; None: nothing is asked for, as the pipeline's guidance has it."""
        hidden, none, pooled, pooled_none = self.pipe.encode_prompt([prompt or "" for prompt in prompts])
        asked = torch.tensor([prompt is not None for prompt in prompts])
        states = torch.where(asked[:, None, None], hidden, none), torch.where(asked[:, None], pooled, pooled_none)
        return states[0].double(), states[1].double()

    def f(self, network: Any, x_t: Tensor, t: Tensor, prompts: list[str | None]) -> Tensor:
        hidden, pooled = self.prompts(prompts)
        ids = torch.tensor([[SIDE, SIDE, 0, 0, SIDE, SIDE]] * len(x_t), dtype=torch.float64)
        added = {"text_embeds": pooled, "time_ids": ids}
        eps = network(x_t, t, encoder_hidden_states=hidden, added_cond_kwargs=added).sample
        a, b = (level[t].view(-1, 1, 1, 1) for level in (self.a, self.b))
        return (x_t - b * eps) / a

    def guided(
        self, network: Any, x_t: Tensor, t: Tensor, c: list[str | None], n: list[str | None], kappa: float
    ) -> Tensor:
        away = self.f(network, x_t, t, n)
        return away + kappa * (self.f(network, x_t, t, c) - away)


@pytest.mark.parametrize("zeros", [True, False])
def test_a_guided_step_is_what_is_written_here(tmp_path: Path, zeros: bool) -> None:
    base = load_base(make_tiny_sdxl(tmp_path, zeros=zeros))
    body = {
        "forget": [{"concept": "pistol", "prompts": ["a pistol"], "override": {"negative": "a gun"}}],
        "retain": {"prompts": ["a cat", "a dog"]},
        "budget": {"images": 4},
        "recipe": RECIPE,
    }
    admitted = admit(body, base.model)
    recipe = admitted.request.recipe
    plan = family_of("sdxl").plan(base, admitted.request, admitted.plan, CPU)
    phi, psi, theta = base.network.requires_grad_(False), moved(base.network, 1), moved(base.network, 2)
    pipe = StableDiffusionXLPipeline.from_pretrained(tmp_path, add_watermarker=False)
    written = Written(pipe, phi, psi, theta, pipe.scheduler)

    descents: list[Any] = [torch.optim.SGD(network.parameters(), LR) for network in (theta, psi)]
    state = TrainingState(theta, psi, copy.deepcopy(theta), *descents, torch.Generator().manual_seed(7))
    table: Any = plan.score(phi).table  # type: ignore[attr-defined]
    rows = {condition.prompt: row for condition, row in table.rows.items() if not condition.negative}
    ((forgotten,),) = plan.forgetting.forgotten
    c = torch.tensor([forgotten, *(rows[prompt] for prompt in ASKED[1:])])
    w = torch.tensor([recipe.forget_weight, 1.0, 1.0, 1.0])
    (o,) = plan.forgetting.overrides[forgotten]
    asked_of_phi, led_away = table.conditions[o].prompt, table.conditions[o].negative
    assert (table.conditions[forgotten].prompt, led_away) == ("a pistol", "a gun")

    rng = torch.Generator().manual_seed(7)
    step = TrainingStep(plan.score(phi), plan.score(psi), plan.score(theta), None, base.schedule, recipe, None)
    losses = step(state, ConditionSampler(plan.forgetting, recipe, CPU), Conditions(c, w))

    def noise() -> Tensor:
        return torch.randn(4, 4, 8, 8, generator=rng).double()

    def times() -> Tensor:
        return torch.randint(int(recipe.t_min), int(recipe.t_max) + 1, (4,), generator=rng)

    # Nothing else is drawn: each condition has one override.
    z, t_psi, eps_psi, t_theta, eps_theta = noise(), times(), noise(), times(), noise()
    dropped = torch.rand(4, generator=rng) < recipe.condition_dropout
    assert 0 < int(dropped.sum()) < 4
    asked: list[str | None] = list(ASKED)
    nothing: list[str | None] = [None] * 4
    weight = w.double()
    start = torch.full((4,), int(recipe.t_init))
    x_g = written.f(written.theta, written.b[recipe.t_init] * z, start, asked)

    def levels(t: Tensor) -> tuple[Tensor, Tensor]:
        return written.a[t].view(-1, 1, 1, 1), written.b[t].view(-1, 1, 1, 1)

    a, b = levels(t_psi)
    x_t = a * x_g.detach() + b * eps_psi
    seen = [None if gone else prompt for gone, prompt in zip(dropped.tolist(), asked, strict=True)]
    error = (x_t - a * written.guided(written.psi, x_t, t_psi, seen, nothing, recipe.kappa1)) / b - eps_psi
    loss_psi = (weight * error.square().sum((1, 2, 3))).mean()
    loss_psi.backward()
    close(psi, written.psi)
    with torch.no_grad():
        for each in written.psi.parameters():
            each -= LR * each.grad
    written.psi.requires_grad_(False)
    written.theta.zero_grad()

    a, b = levels(t_theta)
    x_t = a * x_g + b * eps_theta
    overridden: list[str | None] = [asked_of_phi, *asked[1:]]
    away: list[str | None] = [led_away, None, None, None]
    f_phi = written.guided(written.phi, x_t, t_theta, overridden, away, recipe.kappa4)
    delta = f_phi - written.guided(written.psi, x_t, t_theta, asked, nothing, recipe.kappa2)
    bracket = (f_phi - x_g) - recipe.alpha * (
        f_phi - written.guided(written.psi, x_t, t_theta, asked, nothing, recipe.kappa3)
    )
    omega = (f_phi - x_g).abs().mean((1, 2, 3)).detach()
    loss_theta = (weight / omega * (delta * bracket).sum((1, 2, 3))).mean()
    loss_theta.backward()
    close(theta, written.theta)
    assert losses == (pytest.approx(loss_psi.item(), rel=1e-4), pytest.approx(loss_theta.item(), rel=1e-3))
    assert torch.equal(state.rng.get_state(), rng.get_state()), "the draws are others"


def close(ours: Any, theirs: Any) -> None:
    """Every gradient, to what float32 leaves of it."""
    pairs = zip(ours.named_parameters(), theirs.parameters(), strict=True)
    compared = 0
    for (name, mine), other in pairs:
        if other.grad is None:
            assert mine.grad is None or not bool(mine.grad.any()), name
            continue
        assert mine.grad is not None, name
        most = float(other.grad.abs().max())
        torch.testing.assert_close(mine.grad.double(), other.grad, rtol=2e-3, atol=2e-3 * most + 1e-7, msg=name)
        compared += most > 0
    assert compared > 50
