"""Two ways to arrange a training step over the same networks and losses: Lethe's merged batch, and the published
scripts' four half-losses."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from benchmarks.shared.experiment import ENDLESS, Experiment, bundled
from sfd_core.families.images import noise_shape
from sfd_core.families.registry import describe
from sfd_core.training.losses import fake_score_loss, generator_loss
from sfd_core.training.state import TrainingState, start, update_average


class Arrangement(Protocol):
    """A way to make a step, on networks of its own."""

    state: TrainingState

    def step(self) -> None:
        """Update the fake score, the generator and its average once."""
        ...

    @property
    def remaining(self) -> int:
        """Images of remaining concepts that a step trains the generator on."""
        ...


class Merged:
    """Lethe's own arrangement, by the loop of a job: one merged batch, drawn once for both networks."""

    def __init__(self, experiment: Experiment) -> None:
        self.state = experiment.start()
        self.recipe = experiment.request.recipe
        self._steps = experiment.steps(self.state)

    def step(self) -> None:
        next(self._steps)

    @property
    def remaining(self) -> int:
        return self.recipe.batch - self.recipe.forgotten_images(1)


class Published:
    """The published arrangement: for each network, a half-loss over a whole batch of remaining conditions and one over
    a whole batch of forgotten ones, weighted, each on images of its own. It starts from the base model, which is all
    that its users have, with the family's batch: what a base model recommends is for its own first stage."""

    def __init__(self, experiment: Experiment) -> None:
        batch = describe(experiment.base.model.family).recipe.batch
        self.recipe = dataclasses.replace(experiment.request.recipe, start="base_model", batch=batch)
        self.state = start(experiment.base, self.recipe, experiment.request.seed, experiment.device)
        self.networks, self.sampler = experiment.step(self.state), experiment.sampler()

    def step(self) -> None:
        networks, state = self.networks, self.state
        halves = [(self.sampler.remaining, 1.0), (torch.cat(self.sampler.forgotten), self.recipe.forget_weight)]
        networks.psi.network.requires_grad_(True)
        state.optimizer_fake_score.zero_grad(set_to_none=True)
        for labels, weight in halves:
            c, z, t, eps, w = self._draw(labels, weight)
            with torch.no_grad():
                x_g = networks.images([z], c)
            x_t = networks.schedule.add_noise(x_g, eps, t)
            fake_score_loss(networks.schedule.eps_from_x0(networks.psi(x_t, t, c), x_t, t), eps, w).backward()
        torch.nn.utils.clip_grad_value_(networks.psi.network.parameters(), self.recipe.clip_value)
        state.optimizer_fake_score.step()
        networks.psi.network.requires_grad_(False)
        state.optimizer_generator.zero_grad(set_to_none=True)
        for labels, weight in halves:
            c, z, t, eps, w = self._draw(labels, weight)
            x_g = networks.images([z], c)
            x_t = networks.schedule.add_noise(x_g, eps, t)
            f_psi = networks.psi(x_t, t, c)
            f_phi = networks.phi(x_t, t, self.sampler.overrides(c, state.rng))
            generator_loss(x_g, f_phi, f_psi, self.recipe.alpha, w).backward()
        torch.nn.utils.clip_grad_value_(networks.theta.network.parameters(), self.recipe.clip_value)
        state.optimizer_generator.step()
        update_average(state.average, state.generator, self.recipe.ema, state.step)
        state.step += 1

    @property
    def remaining(self) -> int:
        return self.recipe.batch

    def _draw(self, labels: Tensor, weight: float) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        g, batch = self.state.rng, self.recipe.batch
        shape = (batch, *noise_shape(self.state.generator))
        c = labels[torch.randint(0, len(labels), (batch,), generator=g)]
        t = torch.randint(int(self.recipe.t_min), int(self.recipe.t_max) + 1, (batch,), generator=g)
        return c, torch.randn(shape, generator=g), t, torch.randn(shape, generator=g), torch.full((batch,), weight)


OURS, THEIRS = "merged batch (ours)", "four half-losses"


def both(base: str, forget: Mapping[str, Any]) -> tuple[Experiment, dict[str, Arrangement]]:
    """Return both arrangements of forgetting ``forget``, an item of a request, each on networks of its own."""
    experiment = Experiment.of(bundled(base), {"forget": [forget], "budget": {"images": ENDLESS}})
    return experiment, {OURS: Merged(experiment), THEIRS: Published(experiment)}
