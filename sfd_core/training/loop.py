"""The training loop of Score Forgetting Distillation, to be read from top to bottom.

A run is a :class:`TrainingState` and a plan; :func:`train` advances the state and yields what happened after every
step. It does no input or output: whoever iterates decides when to save a checkpoint (``sfd_core.training.checkpoint``),
what to print and when to stop, by leaving the loop. A state that was saved after a step and loaded again goes on
exactly as the uninterrupted run would, bit for bit on the CPU.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import torch
from diffusers import UNet2DConditionModel, UNet2DModel
from torch import Tensor, nn

from sfd_core.base_model.safe_files import load_unet
from sfd_core.errors import FieldError, InvalidRequest, TrainingDiverged
from sfd_core.families.images import noise_shape
from sfd_core.families.loading import LoadedBase
from sfd_core.families.lora import add_lora, sharing, trainable
from sfd_core.families.parameterization import Schedule
from sfd_core.families.protocol import Score
from sfd_core.families.registry import Prepared, prepare
from sfd_core.request.recipe import Recipe
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.training.conditions import Conditions, ConditionSampler, Judge
from sfd_core.training.losses import fake_score_loss, generator_loss
from sfd_core.training.quick import QuickFigures

Network: TypeAlias = UNet2DModel | UNet2DConditionModel
RUNAWAY = 10.0
"""Images live in [-1, 1], latents have unit variance: a generator whose images have a larger mean magnitude than this
has diverged."""


@dataclass
class TrainingState:
    """Everything that a run must remember. ``seconds`` counts training time over all attempts."""

    generator: Network
    fake_score: Network
    average: Network
    optimizer_generator: torch.optim.Adam
    optimizer_fake_score: torch.optim.Adam
    rng: torch.Generator
    step: int = 0
    images: int = 0
    seconds: float = 0.0
    curve: list[QuickFigures] = field(default_factory=list)


@dataclass(frozen=True)
class Step:
    """What one step did. Losses are sums over pixels, means over the batch. ``quick``: a quick evaluation of the
    averaged generator, on the steps that have one. ``finished``: the budget is spent or the goal is reached."""

    step: int
    images: int
    seconds: float
    loss_generator: float
    loss_fake_score: float
    quick: QuickFigures | None
    finished: bool


def start(base: LoadedBase, recipe: Recipe, seed: int, device: torch.device) -> TrainingState:
    """The state before the first step. Generator, fake score and average are copies of the teacher, or of the pair that
    was distilled from it with nothing forgotten (the first of two stages), where the base model ships one.

    Raises:
        InvalidRequest: if the recipe's times lie outside the base model's schedule, or it asks for a distilled start
            that there is not.
        ModelRefused: if the distilled pair cannot be loaded.
    """
    for name in ("t_init", "t_max"):
        if (t := getattr(recipe, name)) >= base.schedule.steps:
            steps = base.schedule.steps
            message = f"must be 0 to {steps - 1} (the schedule has {steps} timesteps), not {t}"
            raise InvalidRequest((FieldError(f"/recipe/{name}", message),))
    theta, psi = (unet.to(device) for unet in _networks(base, recipe))
    generator, average = (_own(theta, recipe.lora_rank_generator, "generator", seed) for _ in range(2))
    fake_score = _own(psi, recipe.lora_rank_fake_score, "fake_score", seed)
    for unet in (generator, fake_score):
        if recipe.gradient_checkpointing:
            unet.enable_gradient_checkpointing()
        if recipe.attention_slicing:
            unet.set_attention_slice("auto")
    betas = (recipe.adam_beta1, recipe.adam_beta2)
    return TrainingState(
        generator.eval(),
        fake_score.eval(),
        average.eval().requires_grad_(False),
        torch.optim.Adam(trainable(generator), recipe.lr_generator, betas, recipe.adam_epsilon),
        torch.optim.Adam(trainable(fake_score), recipe.lr_fake_score, betas, recipe.adam_epsilon),
        torch.Generator().manual_seed(seed),
    )


def _own(unet: Network, rank: int, name: str, seed: int) -> Network:
    """What can be trained beside ``unet``: a copy of it, or an adapter of this rank over the same, frozen weights."""
    if rank == 0:
        return copy.deepcopy(unet).requires_grad_(True)
    own = sharing(unet)
    add_lora(own, rank, name, seed)
    return own


def _networks(base: LoadedBase, recipe: Recipe) -> tuple[Network, Network]:
    """What the generator and the fake score start as."""
    distilled = base.model.distilled
    if recipe.start == "base_model" or (recipe.start == "auto" and distilled is None):
        return base.unet, base.unet
    if distilled is None:
        message = f"{base.model.name} ships no distilled generator: say base_model, or auto"
        raise InvalidRequest((FieldError("/recipe/start", message),))
    if distilled.t_init != recipe.t_init:
        message = f"must be {distilled.t_init}, at which the distilled generator starts, not {recipe.t_init}"
        raise InvalidRequest((FieldError("/recipe/t_init", message),))
    kind, folder = type(base.unet), base.model.folder
    return load_unet(folder / distilled.generator, kind), load_unet(folder / distilled.fake_score, kind)


def train(
    state: TrainingState,
    base: LoadedBase,
    request: UnlearningRequest,
    *,
    prepared: Prepared | None = None,
    judge: Judge | None = None,
    quick_evaluation: Callable[[TrainingState], QuickFigures] | None = None,
) -> Iterator[Step]:
    """Advance ``state`` until the budget is spent, yielding after every step.

    ``prepared``: what :func:`sfd_core.families.registry.prepare` made of the same arguments; a text-to-image model
    needs it.
    ``judge`` is needed for overrides by the judge. ``quick_evaluation`` is asked every ``recipe.evaluate_every`` steps
    and after the last; ``budget.stop_when_unlearned`` needs it.

    Raises:
        TrainingDiverged: when a loss, a gradient or the generator's images are no longer finite or run away.
    """
    recipe, budget = request.recipe, request.budget
    device = next(state.generator.parameters()).device
    prepared = prepared or prepare(base, request, None, device)
    teacher = sharing(base.unet.to(device)).eval().requires_grad_(False)
    phi, psi, theta = (prepared.score(unet) for unet in (teacher, state.fake_score, state.generator))
    stage = Stage(phi, psi, theta, base.schedule.to(device), recipe, judge, prepared.dropped)

    while True:
        began = time.monotonic()
        sampler = prepared.distilling if state.images < recipe.distil_images else prepared.forgetting
        conditions = sampler.draw(state.rng)
        loss_psi, loss_theta = stage.step(state, sampler, conditions)
        update_average(state.average, state.generator, recipe.ema, state.step)
        state.step += 1
        state.images += recipe.batch
        state.seconds += time.monotonic() - began

        spent = state.images >= budget.images or (budget.seconds is not None and state.seconds >= budget.seconds)
        quick = None
        if quick_evaluation is not None and (spent or state.step % recipe.evaluate_every == 0):
            figures = quick_evaluation(state)
            quick = replace(figures, loss_generator=loss_theta, loss_fake_score=loss_psi)
            state.curve.append(quick)
        # Two good evaluations in a row: one alone may be luck.
        unlearned = budget.stop_when_unlearned and len(state.curve) > 1 and all(q.good for q in state.curve[-2:])
        finished = spent or unlearned
        yield Step(state.step, state.images, state.seconds, loss_theta, loss_psi, quick, finished)
        if finished:
            return


@dataclass
class Stage:
    """The networks of a run and one step of both losses over them."""

    phi: Score
    psi: Score
    theta: Score
    schedule: Schedule
    recipe: Recipe
    judge: Judge | None
    dropped: int | None = None
    """What a condition becomes that is dropped."""

    def step(self, state: TrainingState, sampler: ConditionSampler, conditions: Conditions) -> tuple[float, float]:
        """Update psi, then theta, on the same images. Returns both losses as numbers.

        The images are drawn once: theta does not change between the two updates. With micro-batches they are drawn
        again for theta's update, so that the graph of only one piece is ever kept.
        """
        c, w = conditions.c, conditions.w
        batch, recipe = len(c), self.recipe
        z = self._randn(batch, state)
        t_psi, eps_psi = self._t(batch, state), self._randn(batch, state)
        t_theta, eps_theta = self._t(batch, state), self._randn(batch, state)
        c_psi = self._some_dropped(c, state)
        pieces = torch.arange(batch, device=c.device).split(recipe.micro_batch or batch)
        kept: Tensor | None = None

        loss_psi = 0.0
        _train(state.optimizer_fake_score, True)
        state.optimizer_fake_score.zero_grad(set_to_none=True)
        for i in pieces:
            with torch.set_grad_enabled(len(pieces) == 1):
                x_g = self.images(z[i], c[i])
            kept = x_g if len(pieces) == 1 else None
            x_t = self.schedule.add_noise(x_g.detach(), eps_psi[i], t_psi[i])
            (f_psi,) = self.psi.guided(x_t, t_psi[i], c_psi[i], recipe.kappa1)
            predicted = self.schedule.eps_from_x0(f_psi, x_t, t_psi[i])
            loss = fake_score_loss(predicted, eps_psi[i], w[i]) * (len(i) / batch)
            loss.backward()
            loss_psi += loss.item()
        self._apply(state.optimizer_fake_score, loss_psi, "the fake score", state.step)

        loss_theta = 0.0
        _train(state.optimizer_fake_score, False)
        state.optimizer_generator.zero_grad(set_to_none=True)
        for i in pieces:
            x_g = kept if kept is not None else self.images(z[i], c[i])
            _check_images(x_g, state.step)
            x_t = self.schedule.add_noise(x_g, eps_theta[i], t_theta[i])
            f_psi, f_psi3 = self.psi.guided(x_t, t_theta[i], c[i], recipe.kappa2, recipe.kappa3)
            o = sampler.overrides(c[i], f_psi, self.judge, state.rng)
            (f_phi,) = self.phi.guided(x_t, t_theta[i], o, recipe.kappa4)
            loss = generator_loss(x_g, f_phi, f_psi, recipe.alpha, w[i], f_psi3) * (len(i) / batch)
            loss.backward()
            loss_theta += loss.item()
        self._apply(state.optimizer_generator, loss_theta, "the generator", state.step)
        return loss_psi, loss_theta

    def images(self, z: Tensor, c: Tensor) -> Tensor:
        """``x_g = f_theta(b_tinit z, t_init, c)``; z: [B, C, H, W] unit noise, c: [B]."""
        t = torch.full((len(z),), self.recipe.t_init, device=z.device)
        return self.theta(self.schedule.b[self.recipe.t_init] * z, t, c)

    def _apply(self, optimizer: torch.optim.Adam, loss: float, who: str, step: int) -> None:
        """Clip by value and step; refuse a loss or a gradient that is not finite, before it reaches a weight."""
        if not torch.isfinite(torch.tensor(loss)):
            raise TrainingDiverged(f"the loss of {who} is {loss} at step {step + 1}")
        try:
            # An infinite bound changes nothing: it is the check of every gradient in one pass.
            torch.nn.utils.clip_grad_norm_(_trained(optimizer), float("inf"), error_if_nonfinite=True)
        except RuntimeError:
            raise TrainingDiverged(f"a gradient of {who} is not finite at step {step + 1}") from None
        torch.nn.utils.clip_grad_value_(_trained(optimizer), self.recipe.clip_value)
        optimizer.step()

    def _randn(self, batch: int, state: TrainingState) -> Tensor:
        """Unit noise in the network's space, drawn on the CPU so that every device sees the same run."""
        noise = torch.randn(batch, *noise_shape(state.generator), generator=state.rng)
        return noise.to(self.schedule.a.device)

    def _t(self, batch: int, state: TrainingState) -> Tensor:
        """Times in t_min..t_max, both included: [B]."""
        t = torch.randint(self.recipe.t_min, self.recipe.t_max + 1, (batch,), generator=state.rng)
        return t.to(self.schedule.a.device)

    def _some_dropped(self, c: Tensor, state: TrainingState) -> Tensor:
        """``c`` [B], some of them dropped, for the fake score's own loss."""
        if self.dropped is None or not self.recipe.condition_dropout:
            return c
        dropped = torch.rand(len(c), generator=state.rng) < self.recipe.condition_dropout
        return c.masked_fill(dropped.to(c.device), self.dropped)


def _trained(optimizer: torch.optim.Adam) -> list[nn.Parameter]:
    """What the optimiser moves: all weights of a network, or its adapter's."""
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def _train(optimizer: torch.optim.Adam, on: bool) -> None:
    """Whether a gradient is kept for what the optimiser moves."""
    for weight in _trained(optimizer):
        weight.requires_grad_(on)


@torch.no_grad()
def update_average(average: Network, generator: Network, decay: float, step: int) -> None:
    """Exponential moving average of the generator's weights, with the usual short memory in the first steps."""
    decay = min(decay, (1 + step) / (10 + step))
    for mean, parameter in zip(trainable(average), trainable(generator), strict=True):
        mean.lerp_(parameter, 1 - decay)


def _check_images(x_g: Tensor, step: int) -> None:
    magnitude = x_g.detach().abs().mean().item()
    if not magnitude <= RUNAWAY:  # also true for NaN
        raise TrainingDiverged(
            f"the generator's images have a mean magnitude of {magnitude:.3g} at step {step + 1}; they live in [-1, 1]"
        )
