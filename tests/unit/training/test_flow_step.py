"""Whole steps of flow-matching models, guided, against a second implementation in float64: stock networks asked with
what the stock pipeline embeds, the losses written out, their gradients by autograd."""

from __future__ import annotations

import copy
import inspect
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FluxPipeline, SanaPipeline
from torch import Tensor

from sfd_core.admission import admit
from sfd_core.families.loading import load_base
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.registry import family_of
from sfd_core.request.recipe import Recipe
from sfd_core.training.conditions import Conditions, ConditionSampler
from sfd_core.training.state import TrainingState
from sfd_core.training.step import TrainingStep
from tests.support.tiny_flow import TINY, Tiny

CPU = torch.device("cpu")
LR = 1e-6
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


Prompt = str | None
"""None: nothing is asked for, as where a condition is dropped."""


class Written(ABC):
    """The second implementation: ``networks`` in float64, asked as their stock pipeline asks them."""

    def __init__(self, pipe: Any, phi: Any, psi: Any, theta: Any) -> None:
        self.pipe = pipe
        self.phi, self.psi, self.theta = (copy.deepcopy(network).double() for network in (phi, psi, theta))

    @abstractmethod
    def velocity(
        self, network: Any, x_t: Tensor, sigma: Tensor, prompts: Sequence[Prompt], *, away: bool = False
    ) -> Tensor:
        """``away``: the prompts are what guidance leads away from."""

    def f(self, network: Any, x_t: Tensor, sigma: Tensor, prompts: Sequence[Prompt], **asked: Any) -> Tensor:
        return x_t - sigma.view(-1, 1, 1, 1) * self.velocity(network, x_t, sigma, prompts, **asked)

    def guided(
        self, network: Any, x_t: Tensor, sigma: Tensor, c: Sequence[Prompt], n: Sequence[Prompt], kappa: float
    ) -> Tensor:
        away = self.f(network, x_t, sigma, n, away=True)
        return away + kappa * (self.f(network, x_t, sigma, c) - away)


class WrittenSd3(Written):
    def velocity(
        self, network: Any, x_t: Tensor, sigma: Tensor, prompts: Sequence[Prompt], *, away: bool = False
    ) -> Tensor:
        said = [prompt or "" for prompt in prompts]
        with torch.no_grad():
            hidden, _, pooled, _ = self.pipe.encode_prompt(said, None, None, do_classifier_free_guidance=False)
        return network(
            hidden_states=x_t,
            timestep=1000 * sigma,
            encoder_hidden_states=hidden.double(),
            pooled_projections=pooled.double(),
        ).sample


class WrittenSana(Written):
    """An instruction stands before what is asked for, and before nothing else."""

    INSTRUCTION = inspect.signature(SanaPipeline.__call__).parameters["complex_human_instruction"].default

    def velocity(
        self, network: Any, x_t: Tensor, sigma: Tensor, prompts: Sequence[Prompt], *, away: bool = False
    ) -> Tensor:
        read = [
            self.pipe.encode_prompt(
                prompt or "",
                do_classifier_free_guidance=False,
                complex_human_instruction=None if away or prompt is None else self.INSTRUCTION,
            )[:2]
            for prompt in prompts
        ]
        # What is asked for without an instruction is as long as what has one: the stock pipeline leaves it out.
        hidden, mask = (torch.cat(some).detach() for some in zip(*read, strict=True))
        return network(
            x_t, encoder_hidden_states=hidden.double(), encoder_attention_mask=mask.double(), timestep=1000 * sigma
        ).sample


class WrittenSchnell(Written):
    """FLUX.1 schnell: latents two by two are a token, whose place is told."""

    def velocity(
        self, network: Any, x_t: Tensor, sigma: Tensor, prompts: Sequence[Prompt], *, away: bool = False
    ) -> Tensor:
        return self.told(network, x_t, sigma, prompts, None)

    def told(
        self, network: Any, x_t: Tensor, sigma: Tensor, prompts: Sequence[Prompt], strength: float | None
    ) -> Tensor:
        with torch.no_grad():
            hidden, pooled, text_ids = self.pipe.encode_prompt([prompt or "" for prompt in prompts], None)
        n, channels, height, width = x_t.shape
        output = network(
            hidden_states=FluxPipeline._pack_latents(x_t, n, channels, height, width),
            timestep=sigma,
            guidance=None if strength is None else torch.full((n,), strength, dtype=torch.float64),
            encoder_hidden_states=hidden.double(),
            pooled_projections=pooled.double(),
            txt_ids=text_ids.double(),
            img_ids=FluxPipeline._prepare_latent_image_ids(n, height // 2, width // 2, "cpu", torch.float64),
        ).sample
        return FluxPipeline._unpack_latents(output, 2 * height, 2 * width, 2)


class WrittenFlux(WrittenSchnell):
    """FLUX.1 dev, which takes the strength of guidance as a number and is led away from nothing."""

    def velocity(
        self, network: Any, x_t: Tensor, sigma: Tensor, prompts: Sequence[Prompt], *, away: bool = False
    ) -> Tensor:
        return self.told(network, x_t, sigma, prompts, 3.5)

    def guided(
        self, network: Any, x_t: Tensor, sigma: Tensor, c: Sequence[Prompt], n: Sequence[Prompt], kappa: float
    ) -> Tensor:
        return x_t - sigma.view(-1, 1, 1, 1) * self.told(network, x_t, sigma, c, kappa)


@dataclass(frozen=True)
class Case:
    """A pipeline. ``name``: of the tiny model (tests/support/tiny_flow.py); ``shift``: of its times; ``override``: of
    what is forgotten."""

    name: str
    written: type[Written]
    shift: float = 3.0
    override: Mapping[str, Any] = field(default_factory=lambda: {"negative": "a gun"})

    @property
    def tiny(self) -> Tiny:
        return next(tiny for tiny in TINY if tiny.name == self.name)


# By the size of the picture: 16 tokens, between 0.5 at 256 and 1.15 at 4096.
DYNAMIC = math.exp(0.5 + (1.15 - 0.5) * (16 - 256) / (4096 - 256))
CASES = {
    case.name: case
    for case in (
        Case("sd3", WrittenSd3),
        Case("sd3 with t5", WrittenSd3),
        Case("flux", WrittenFlux, DYNAMIC, {"prompts": ["a gun"]}),
        Case("flux schnell", WrittenSchnell, 1.0),
        Case("sana", WrittenSana),
    )
}
SD3 = (("sd3", 1, 7), ("sd3", 4, 7), ("sd3", 4, 8), ("sd3", 3, 9))
OTHERS = tuple((name, steps, 7) for name in CASES if name != "sd3" for steps in (1, 4))


def test_every_pipeline_is_held_to_a_second_implementation() -> None:
    assert set(CASES) == {tiny.name for tiny in TINY}


def times(recipe: Recipe, rng: torch.Generator) -> Tensor:
    """The logit-normal between t_min and t_max, by its inverse, found by halving."""
    share = torch.rand(4, generator=rng, dtype=torch.float64)

    def below(level: Tensor) -> Tensor:
        normal = (torch.log(level / (1 - level)) - math.log(2)) / 1.6
        return 0.5 * (1 + torch.erf(normal / math.sqrt(2)))

    ends = torch.tensor([recipe.t_min, recipe.t_max], dtype=torch.float64)
    first, last = below(ends)
    low, high = (ends[i].expand(4).clone() for i in (0, 1))
    for _ in range(80):
        middle = (low + high) / 2
        under = below(middle) < first + (last - first) * share
        low, high = torch.where(under, middle, low), torch.where(under, high, middle)
    return ((low + high) / 2).float().double()


def asked(base: LoadedBase, case: Case, **recipe: Any) -> Any:
    body = {
        "forget": [{"concept": "pistol", "prompts": ["a pistol"], "override": case.override}],
        "retain": {"prompts": ["a cat", "a dog"]},
        "budget": {"images": 4},
        "recipe": {**RECIPE, **recipe},
    }
    admitted = admit(body, base.model)
    return admitted.request.recipe, family_of("flow").plan(base, admitted.request, admitted.plan, CPU)


def noise(rng: torch.Generator, n: int = 4) -> Tensor:
    return torch.randn(n, 4, 8, 8, generator=rng).double()


@pytest.mark.parametrize(("name", "steps", "seed"), [*SD3, *OTHERS])
def test_a_guided_step_is_what_is_written_here(tmp_path: Path, name: str, steps: int, seed: int) -> None:
    case = CASES[name]
    base = load_base(case.tiny.make(tmp_path))
    recipe, plan = asked(base, case, steps=steps)
    phi, psi, theta = base.network.requires_grad_(False), moved(base.network, 1), moved(base.network, 2)
    written = case.written(case.tiny.opened(tmp_path), phi, psi, theta)
    descents: list[Any] = [torch.optim.SGD(network.parameters(), LR) for network in (theta, psi)]
    state = TrainingState(theta, psi, copy.deepcopy(theta), *descents, torch.Generator().manual_seed(seed))
    table: Any = plan.score(phi).table
    rows = {condition.prompt: row for condition, row in table.rows.items() if not condition.negative}
    ((forgotten,),) = plan.forgetting.forgotten
    c = torch.tensor([forgotten, *(rows[prompt] for prompt in ASKED[1:])])
    w = torch.tensor([recipe.forget_weight, 1.0, 1.0, 1.0])
    (o,) = plan.forgetting.overrides[forgotten]
    instead = table.conditions[o]
    assert (instead.negative or instead.prompt) == "a gun"

    rng = torch.Generator().manual_seed(seed)
    step = TrainingStep(plan.score(phi), plan.score(psi), plan.score(theta), None, base.schedule, recipe, None)
    losses = step(state, ConditionSampler(plan.forgetting, recipe, CPU), Conditions(c, w))

    # Nothing else is drawn: each condition has one override.
    asked_steps = int(torch.randint(1, steps + 1, (), generator=rng)) if steps > 1 else 1
    z = [noise(rng) for _ in range(asked_steps)]
    s_psi, eps_psi, s_theta, eps_theta = times(recipe, rng), noise(rng), times(recipe, rng), noise(rng)
    dropped = torch.rand(4, generator=rng) < recipe.condition_dropout
    assert 0 < int(dropped.sum()) < 4
    weight, nothing = w.double(), [None] * 4

    def mixed(x: Tensor, eps: Tensor, sigma: Tensor) -> Tensor:
        level = sigma.view(-1, 1, 1, 1)
        return (1 - level) * x + level * eps

    # Each step from what the one before it made, noised anew; only the last has a gradient.
    x_g = torch.zeros_like(z[0])
    for i, fresh in enumerate(z):
        sigma = torch.full((4,), 1 - i / steps).float().double()
        x_g = written.f(written.theta, mixed(x_g.detach(), fresh, sigma), sigma, ASKED)

    x_t = mixed(x_g.detach(), eps_psi, s_psi)
    seen = [None if gone else prompt for gone, prompt in zip(dropped.tolist(), ASKED, strict=True)]
    guided = written.guided(written.psi, x_t, s_psi, seen, nothing, recipe.kappa1)
    # The error in the velocity: v is affine in f, (x_t - f) / sigma.
    error = (x_t - guided) / s_psi.view(-1, 1, 1, 1) - (eps_psi - x_g.detach())
    loss_psi = (weight * error.square().sum((1, 2, 3))).mean()
    loss_psi.backward()
    close(psi, written.psi)
    with torch.no_grad():
        for each in written.psi.parameters():
            if each.grad is not None:
                each -= LR * each.grad
    written.psi.requires_grad_(False)
    written.theta.zero_grad()

    x_t = mixed(x_g, eps_theta, s_theta)
    f_phi = written.guided(
        written.phi, x_t, s_theta, [instead.prompt, *ASKED[1:]], [instead.negative or None, *nothing[1:]], recipe.kappa4
    )
    delta = f_phi - written.guided(written.psi, x_t, s_theta, ASKED, nothing, recipe.kappa2)
    bracket = (f_phi - x_g) - recipe.alpha * (
        f_phi - written.guided(written.psi, x_t, s_theta, ASKED, nothing, recipe.kappa3)
    )
    loss_theta = (weight * (1 - s_theta) * (delta * bracket).sum((1, 2, 3))).mean()
    loss_theta.backward()
    close(theta, written.theta)
    assert losses == (pytest.approx(loss_psi.item(), rel=1e-4), pytest.approx(loss_theta.item(), rel=1e-3))
    assert torch.equal(state.rng.get_state(), rng.get_state()), "the draws are others"


@pytest.mark.parametrize("name", CASES)
def test_l_deep_is_the_error_in_the_velocity_at_every_time(tmp_path: Path, name: str) -> None:
    """Also at the generator's own time, where there is no signal. One forgotten image, one that remains."""
    case = CASES[name]
    base = load_base(case.tiny.make(tmp_path))
    deep = {"deep_weight": 1.5, "deep_start_share": 0.5, "deep_share": 1.0, "deep_kappa": 2.0}
    recipe, plan = asked(base, case, **deep, lr_generator=1e-6)
    phi, psi, theta = base.network.requires_grad_(False), moved(base.network, 1), moved(base.network, 2)
    theta_0 = moved(base.network, 3).requires_grad_(False)
    written = case.written(case.tiny.opened(tmp_path), phi, theta_0, theta)
    descents: list[Any] = [torch.optim.SGD(network.parameters(), LR) for network in (theta, psi)]
    state = TrainingState(theta, psi, copy.deepcopy(theta), *descents, torch.Generator().manual_seed(7))
    step = TrainingStep(
        plan.score(phi), plan.score(psi), plan.score(theta), plan.score(theta_0), base.schedule, recipe, None
    )
    theta.zero_grad()
    found = step._deep(plan.score(theta_0), state, ConditionSampler(plan.forgetting, recipe, CPU))

    rng = torch.Generator().manual_seed(7)
    forgotten, remaining = ConditionSampler(plan.forgetting, recipe, CPU).draw_deep(rng, 0)
    table: Any = plan.score(phi).table
    ((o,),) = plan.forgetting.overrides.values()
    instead = table.conditions[o]
    total, own_times = torch.zeros((), dtype=torch.float64), 0
    for c, network in ((forgotten, written.phi), (remaining, written.psi)):
        n = len(c)
        z, eps = noise(rng, n), noise(rng, n)
        u = torch.rand(n, generator=rng).double()
        sigma = (case.shift * u / (1 + (case.shift - 1) * u)).clamp_min(0.001)
        own = torch.rand(n, generator=rng) < 0.5
        sigma, own_times = torch.where(own, 1.0, sigma), own_times + int(own.sum())
        prompts = [table.conditions[row].prompt for row in c.tolist()]
        with torch.no_grad():
            x0 = z - written.velocity(written.psi, z, torch.ones(n).double(), prompts)
            x_t = (1 - sigma).view(-1, 1, 1, 1) * x0 + sigma.view(-1, 1, 1, 1) * eps
            seen = prompts if network is written.psi else [instead.prompt] * n
            v = written.velocity(network, x_t, sigma, seen)
            if network is written.phi and instead.negative:  # which only guidance expresses
                away = written.velocity(network, x_t, sigma, [instead.negative] * n, away=True)
                v = away + 2.0 * (v - away)
        error = written.velocity(written.theta, x_t, sigma, prompts) - v
        total = total + 1.5 * error.square().sum((1, 2, 3)).mean() / 2
    assert own_times > 0
    total.backward()
    close(theta, written.theta)
    assert found == pytest.approx(total.item(), rel=1e-4)


def close(ours: Any, theirs: Any) -> None:
    """Every gradient, to what float32 leaves of it: that of a bias of keys, which no softmax sees, is nothing."""
    compared = 0
    largest = max(other.grad.abs().max().item() for other in theirs.parameters() if other.grad is not None)
    for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        if other.grad is None:
            assert mine.grad is None or not bool(mine.grad.any()), name
            continue
        scale = other.grad.abs().max().item()
        atol = max(1e-3 * scale, 1e-7 * largest, 1e-6)
        torch.testing.assert_close(mine.grad.double(), other.grad, rtol=2e-3, atol=atol, msg=name)
        compared += 1
    assert compared > 20
