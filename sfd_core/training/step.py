"""One step: both losses, in turn, over one batch of the generator's own images; and the loss at all times beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sfd_core.errors import TrainingDiverged
from sfd_core.families.parameterization import Parameterization
from sfd_core.families.protocol import Score
from sfd_core.request.recipe import Recipe
from sfd_core.training.conditions import Conditions, ConditionSampler, Judge
from sfd_core.training.draws import DeepDraws, Draws
from sfd_core.training.losses import deep_loss, fake_score_loss, generator_loss
from sfd_core.training.state import TrainingState

RUNAWAY = 10.0
"""Images live in [-1, 1], latents have unit variance: a generator whose images have a larger mean magnitude than this
has diverged."""


@dataclass
class TrainingStep:
    """The networks of a run, and one step of both losses over them. ``theta_0``: what theta started as, for ``L_deep``;
    None where the run has no such loss. Each process of the state's takes its own images of a batch."""

    phi: Score
    psi: Score
    theta: Score
    theta_0: Score | None
    schedule: Parameterization
    recipe: Recipe
    judge: Judge | None

    def __call__(self, state: TrainingState, sampler: ConditionSampler, conditions: Conditions) -> tuple[float, float]:
        """Update psi, then theta, on the same images. Returns both losses as numbers.

        With several updates of psi (``fake_score_updates``) those before the last are on batches of their own.
        """
        for _ in range(self.recipe.fake_score_updates - 1):
            self._update_psi(state, self._drawn(sampler.draw(state.rng, state.step), sampler, state))
        drawn = self._drawn(conditions, sampler, state)
        loss_psi, x_g = self._update_psi(state, drawn)
        return loss_psi, self._update_theta(state, sampler, drawn, x_g)

    def _update_psi(self, state: TrainingState, drawn: Draws) -> tuple[float, Tensor | None]:
        """Update psi; returns its loss, and the images with their graph.

        The images are drawn once: theta does not change between the two updates. With micro-batches, where they are
        None, they are drawn again for theta's update, so that the graph of only one piece is ever kept.
        """
        c, w, z, t, eps = drawn.c, drawn.w, drawn.z, drawn.t_psi, drawn.eps_psi
        pieces, kept, loss_psi = self._pieces(c, state), None, 0.0
        _train(state.optimizer_fake_score, True)
        state.optimizer_fake_score.zero_grad(set_to_none=True)
        for i, share in pieces:
            with torch.set_grad_enabled(len(pieces) == 1):
                x_g = self.images([step[i] for step in z], c[i])
            kept = x_g if len(pieces) == 1 else None
            x_t = self.schedule.add_noise(x_g.detach(), eps[i], t[i])
            (f_psi,) = self.psi.guided(x_t, t[i], drawn.c_psi[i], self.recipe.kappa1)
            predicted, target = self.schedule.predicted(f_psi, x_t, t[i]), self.schedule.target(x_g.detach(), eps[i])
            weight = w[i] * self.schedule.error_weight(t[i])
            loss = fake_score_loss(predicted, target, weight) * share
            loss.backward()
            loss_psi += loss.item()
        (loss_psi,) = state.ranks.sums(loss_psi)
        self._apply(state.optimizer_fake_score, loss_psi, "the fake score", state)
        return loss_psi, kept

    def _update_theta(
        self, state: TrainingState, sampler: ConditionSampler, drawn: Draws, kept: Tensor | None
    ) -> float:
        """Update theta, on the images that are ``kept`` of psi's update; returns the loss."""
        recipe, c, w, z, t, eps = self.recipe, drawn.c, drawn.w, drawn.z, drawn.t_theta, drawn.eps_theta
        loss_theta = magnitude = 0.0
        _train(state.optimizer_fake_score, False)
        state.optimizer_generator.zero_grad(set_to_none=True)
        for i, share in self._pieces(c, state):
            x_g = kept if kept is not None else self.images([step[i] for step in z], c[i])
            magnitude += x_g.detach().abs().mean().item() * share
            x_t = self.schedule.add_noise(x_g, eps[i], t[i])
            f_psi, f_psi3 = self.psi.guided(x_t, t[i], c[i], recipe.kappa2, recipe.kappa3)
            o = sampler.chosen(c[i], drawn.o[i], f_psi, self.judge)
            (f_phi,) = self.phi.guided(x_t, t[i], o, recipe.kappa4)
            at = self.schedule.generator_weight(t[i])
            loss = generator_loss(x_g, f_phi, f_psi, recipe.alpha, w[i], f_psi3, at) * share
            loss.backward()
            loss_theta += loss.item()
        if self.theta_0 is not None and sampler.forgotten:
            loss_theta += self._deep(self.theta_0, state, sampler)
        loss_theta, magnitude = state.ranks.sums(loss_theta, magnitude)
        _check_magnitude(magnitude, state.step)
        self._apply(state.optimizer_generator, loss_theta, "the generator", state)
        return loss_theta

    def _deep(self, theta_0: Score, state: TrainingState, sampler: ConditionSampler) -> float:
        """Add the gradient of ``L_deep`` to that of the generator's loss; returns the loss.

        Half of its images are forgotten conditions: asked for c, theta must denoise at any time as the teacher asked
        for o(c). The others remain, and theta must denoise them as it did before the run. It is trained where the
        concept shows: on theta_0's own one-step images of what is asked, noised.
        """
        forgotten, remaining = sampler.draw_deep(state.rng, state.step)
        halves = ((forgotten, self.phi), (remaining, theta_0))
        return sum(self._deep_half(theta_0, state, sampler, c, asked) for c, asked in halves)

    def _deep_half(
        self, theta_0: Score, state: TrainingState, sampler: ConditionSampler, c: Tensor, asked: Score
    ) -> float:
        """The half of ``L_deep`` over the conditions ``c``, held against what ``asked`` says of o(c)."""
        drawn = DeepDraws.of(c, sampler, self.schedule, self.recipe, state)
        t, loss_half = drawn.t, 0.0
        for i, share in self._pieces(c, state):
            with torch.no_grad():
                x_t = self.schedule.add_noise(self._one_step(theta_0, drawn.z[i], c[i]), drawn.eps[i], t[i])
            f_theta = self.theta(x_t, t[i], c[i])
            o = sampler.chosen(c[i], drawn.o[i], f_theta, self.judge)
            with torch.no_grad():
                f_asked = asked.steered(x_t, t[i], o, self.recipe.deep_kappa)
            ours, asked_for = (self.schedule.predicted(f, x_t, t[i]) for f in (f_theta, f_asked))
            loss = deep_loss(ours, asked_for, self.recipe.deep_weight, self.schedule.error_weight(t[i]))
            loss = loss * (share / 2)
            loss.backward()
            loss_half += loss.item()
        return loss_half

    def images(self, z: Sequence[Tensor], c: Tensor) -> Tensor:
        """Make ``x_g = f_theta(b_tinit z, t_init, c)``; z: [B, C, H, W] unit noise, c: [B].

        With more noise than of one step, what a step makes is noised anew, to the time of the next, which has the
        gradient alone.
        """
        first, *fresh = z
        times = self.schedule.asked_at(self.recipe)[1:]
        with torch.set_grad_enabled(torch.is_grad_enabled() and not fresh):
            x_g = self._one_step(self.theta, first, c)
        for i, (eps, time) in enumerate(zip(fresh, times, strict=False), start=1):
            t = torch.full((len(eps),), time, device=eps.device)
            with torch.set_grad_enabled(torch.is_grad_enabled() and i == len(fresh)):
                x_g = self.theta(self.schedule.add_noise(x_g, eps, t), t, c)
        return x_g

    def _one_step(self, score: Score, z: Tensor, c: Tensor) -> Tensor:
        t = torch.full((len(z),), self.schedule.start(self.recipe), device=z.device)
        return score(self.schedule.pure_noise(z, t), t, c)

    def _drawn(self, conditions: Conditions, sampler: ConditionSampler, state: TrainingState) -> Draws:
        return Draws.of(conditions, sampler, self.schedule, self.recipe, state)

    def _pieces(self, c: Tensor, state: TrainingState) -> Sequence[tuple[Tensor, float]]:
        """Which of the images of ``c`` this process takes, in pieces of at most a micro-batch, and what share of all
        images each piece counts."""
        pieces = state.ranks.pieces(len(c), self.recipe.micro_batch or len(c))
        return [(i.to(c.device), share) for i, share in pieces]

    def _apply(self, optimizer: torch.optim.Adam, loss: float, who: str, state: TrainingState) -> None:
        """Clip by value and step; refuse a loss or a gradient that is not finite, before it reaches a weight."""
        if not torch.isfinite(torch.tensor(loss)):
            raise TrainingDiverged(f"the loss of {who} is {loss} at step {state.step + 1}")
        state.ranks.sum_gradients(_trained(optimizer))
        # An infinite bound changes nothing: it is the check of every gradient in one pass. An error in it is no answer:
        # it is raised where another process, which has its shard of them, is gone.
        norm = torch.nn.utils.clip_grad_norm_(_trained(optimizer), float("inf"))
        if norm.isnan() or norm.isinf():
            raise TrainingDiverged(f"a gradient of {who} is not finite at step {state.step + 1}")
        torch.nn.utils.clip_grad_value_(_trained(optimizer), self.recipe.clip_value)
        optimizer.step()


def _trained(optimizer: torch.optim.Adam) -> list[nn.Parameter]:
    """What the optimiser moves: all weights of a network, or its adapter's."""
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def _train(optimizer: torch.optim.Adam, on: bool) -> None:
    """Whether a gradient is kept for what the optimiser moves."""
    for weight in _trained(optimizer):
        weight.requires_grad_(on)


def _check_magnitude(magnitude: float, step: int) -> None:
    """Refuse images whose mean magnitude over the batch is ``magnitude``, where that has run away."""
    if not magnitude <= RUNAWAY:  # also true for NaN
        raise TrainingDiverged(
            f"the generator's images have a mean magnitude of {magnitude:.3g} at step {step + 1}; they live in [-1, 1]"
        )
