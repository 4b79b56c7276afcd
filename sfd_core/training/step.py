"""One step: both losses, in turn, over one batch of the generator's own images; and the loss at all times beside."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sfd_core.errors import TrainingDiverged
from sfd_core.families.device import device_of
from sfd_core.families.images import noise_shape
from sfd_core.families.parameterization import Parameterization
from sfd_core.families.protocol import Score
from sfd_core.request.recipe import Recipe
from sfd_core.training.conditions import Conditions, ConditionSampler, Judge
from sfd_core.training.losses import deep_loss, fake_score_loss, generator_loss
from sfd_core.training.state import TrainingState

RUNAWAY = 10.0
"""Images live in [-1, 1], latents have unit variance: a generator whose images have a larger mean magnitude than this
has diverged."""


@dataclass
class TrainingStep:
    """The networks of a run, and one step of both losses over them. ``theta_0``: what theta started as, for ``L_deep``;
    None where the run has no such loss."""

    phi: Score
    psi: Score
    theta: Score
    theta_0: Score | None
    schedule: Parameterization
    recipe: Recipe
    judge: Judge | None

    def __call__(self, state: TrainingState, sampler: ConditionSampler, conditions: Conditions) -> tuple[float, float]:
        """Update psi, then theta, on the same images. Returns both losses as numbers.

        The images are drawn once: theta does not change between the two updates. With micro-batches they are drawn
        again for theta's update, so that the graph of only one piece is ever kept.
        """
        c, w = conditions.c, conditions.w
        batch, recipe = len(c), self.recipe
        z = self._randn(batch, state)
        t_psi = self.schedule.fake_score_times(batch, recipe, state.rng).to(c.device)
        eps_psi = self._randn(batch, state)
        t_theta = self.schedule.generator_times(batch, recipe, state.rng).to(c.device)
        eps_theta = self._randn(batch, state)
        c_psi = sampler.some_dropped(c, state.rng)
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
            weight = w[i] * self.schedule.eps_weight(t_psi[i])
            loss = fake_score_loss(predicted, eps_psi[i], weight) * (len(i) / batch)
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
        if self.theta_0 is not None and sampler.forgotten:
            loss_theta += self._deep(self.theta_0, state, sampler)
        self._apply(state.optimizer_generator, loss_theta, "the generator", state.step)
        return loss_psi, loss_theta

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
        z, eps = self._randn(len(c), state), self._randn(len(c), state)
        t = self._deep_times(len(c), state.rng).to(c.device)
        loss_half = 0.0
        for i in torch.arange(len(c), device=c.device).split(self.recipe.micro_batch or len(c)):
            with torch.no_grad():
                x_t = self.schedule.add_noise(self._one_step(theta_0, z[i], c[i]), eps[i], t[i])
            f_theta = self.theta(x_t, t[i], c[i])
            o = sampler.overrides(c[i], f_theta, self.judge, state.rng)
            with torch.no_grad():
                f_asked = asked.steered(x_t, t[i], o, self.recipe.deep_kappa)
            eps_theta, eps_asked = (self.schedule.eps_from_x0(f, x_t, t[i]) for f in (f_theta, f_asked))
            loss = deep_loss(eps_theta, eps_asked, self.recipe.deep_weight, self.schedule.eps_weight(t[i]))
            loss = loss * (len(i) / (2 * len(c)))
            loss.backward()
            loss_half += loss.item()
        return loss_half

    def _deep_times(self, n: int, rng: torch.Generator) -> Tensor:
        """Times of ``L_deep``, on the CPU: [n]. Some are the generator's own, the others of the whole schedule."""
        t = self.schedule.all_times(n, rng)
        own = torch.rand(n, generator=rng) < self.recipe.deep_start_share
        return t.masked_fill(own, self.schedule.start(self.recipe))

    def images(self, z: Tensor, c: Tensor) -> Tensor:
        """Make ``x_g = f_theta(b_tinit z, t_init, c)``; z: [B, C, H, W] unit noise, c: [B]."""
        return self._one_step(self.theta, z, c)

    def _one_step(self, score: Score, z: Tensor, c: Tensor) -> Tensor:
        t = torch.full((len(z),), self.schedule.start(self.recipe), device=z.device)
        return score(self.schedule.pure_noise(z, t), t, c)

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
        return noise.to(device_of(state.generator))


def _trained(optimizer: torch.optim.Adam) -> list[nn.Parameter]:
    """What the optimiser moves: all weights of a network, or its adapter's."""
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def _train(optimizer: torch.optim.Adam, on: bool) -> None:
    """Whether a gradient is kept for what the optimiser moves."""
    for weight in _trained(optimizer):
        weight.requires_grad_(on)


def _check_images(x_g: Tensor, step: int) -> None:
    magnitude = x_g.detach().abs().mean().item()
    if not magnitude <= RUNAWAY:  # also true for NaN
        raise TrainingDiverged(
            f"the generator's images have a mean magnitude of {magnitude:.3g} at step {step + 1}; they live in [-1, 1]"
        )
