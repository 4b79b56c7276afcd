"""The generator's own network, asked otherwise than in its one step.

It came from a diffusion model, and whoever has the weights can use it as one: run it over the base model's sampler from
noise alone, or hand it a part-noised image to complete. The untouched base model's network stands beside it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from sfd_core.families.images import noise_of, noise_shape
from sfd_core.families.protocol import Generator, LoadedBase, TrainingPlan
from sfd_core.families.registry import describe, family_of
from sfd_core.families.sampling import Images, PromptSampler
from sfd_core.prompts.plan import ForgottenPrompt, PromptPlan
from sfd_core.request.unlearning_request import UnlearningRequest

Whose = Literal["generator", "base_model"]
CELLS_TOGETHER = 2**16
"""Cells of a network's input that are completed at a time: 16 images of Stable Diffusion's at 512 pixels."""
TOGETHER = 64
"""And never more images than these."""


class OwnNetwork:
    """The generator's network and the base model's, over the base model's schedule.

    A *condition* is a number, as a run trains with it: a class label, or a row of a table of prompts. ``start``: the
    time at which the generator asks its network; ``network_evaluations``: of an image in many steps. ``prompts``: by
    condition, where the model is asked by prompts. ``guidance``: of the base model where it completes an image asked
    for a negative prompt.
    """

    def __init__(
        self,
        generator: Generator,
        base: LoadedBase,
        trained_with: TrainingPlan,
        prompts: Mapping[int, str],
        guidance: float,
        device: torch.device,
    ) -> None:
        self.family, self.base, self.table = family_of(base.model.family), base, trained_with.forgetting
        self.schedule, self.start = base.schedule.to(device), generator.start
        self.prompts, self.guidance, self.device = prompts, guidance, device
        networks: dict[Whose, Any] = {"generator": generator.network, "base_model": base.network}
        self.samplers = {
            whose: self.family.base_sampler(dataclasses.replace(base, network=network), device)
            for whose, network in networks.items()
        }
        self.scores = {whose: trained_with.score(network) for whose, network in networks.items()}
        self.network_evaluations = self.samplers["generator"].network_evaluations

    @classmethod
    def of(
        cls,
        generator: Generator,
        base: LoadedBase,
        request: UnlearningRequest,
        plan: PromptPlan | None,
        device: torch.device,
    ) -> OwnNetwork | None:
        """Make it for what ``request`` forgets. ``plan``: of a model that is asked by prompts. None where
        nothing says which prompts forget."""
        if describe(base.model.family).takes_prompts and plan is None:
            return None
        # Nothing is asked of what remains: its prompts need not be encoded again.
        asked = None if plan is None else PromptPlan(_plainly(plan), (), 0)
        recipe = dataclasses.replace(request.recipe, precision="fp32", compile=False)
        as_trained = dataclasses.replace(request, recipe=recipe)
        trained_with = family_of(base.model.family).plan(base, as_trained, asked, device)
        pairs = zip(trained_with.forgetting.forgotten, asked.forgotten, strict=True) if asked is not None else ()
        prompts = {c: one.prompt for row, item in pairs for c, one in zip(row, item, strict=True)}
        return cls(generator, base, trained_with, prompts, recipe.deep_kappa, device)

    def asked(self, item: int, n: int) -> list[int]:
        """Return the conditions of ``n`` images of the forgotten concept number ``item``: each of its own as often."""
        conditions = self.table.forgotten[item]
        return [conditions[i * len(conditions) // n] for i in range(n)]

    def overrides(self, c: Sequence[int], rng: torch.Generator) -> list[int]:
        """Return what overrides each of the conditions ``c``, drawn as in training; any remaining one where a judge
        chooses."""
        choices = [self.table.overrides.get(one, self.table.remaining) for one in c]
        return [some[int(torch.randint(len(some), (), generator=rng))] for some in choices]

    def drawn(self, whose: Whose, c: Sequence[int], seeds: Sequence[int]) -> Images:
        """Draw an image of each of the conditions ``c`` from noise alone, by the base model's own sampler."""
        sampler = self.samplers[whose]
        if isinstance(sampler, PromptSampler):
            return sampler.sample_prompts([self.prompts[one] for one in c], seeds)
        return sampler.sample_labels(c, seeds)

    def levels(self, shares: Sequence[float]) -> list[float]:
        """Return the times at these shares of the whole schedule and that at which the generator starts, rising."""
        return sorted({self.schedule.time_at(share) for share in shares} | {self.start})

    def noised(self, images: Images, t: float, seeds: Sequence[int]) -> Tensor:
        """Return ``images`` noised to time ``t``: [n, C, H, W] in the network's own space."""
        x0 = self.family.encoded(images, self.base).to(self.device)
        noise = noise_of(seeds, noise_shape(self.base.network)).to(self.device)
        return self.schedule.add_noise(x0, noise, torch.full((len(images),), t, device=self.device))

    @torch.no_grad()
    def completed(self, whose: Whose, x_t: Tensor, t: float, c: Sequence[int]) -> Images:
        """Draw what completes ``x_t`` [n, C, H, W] from time ``t`` in one evaluation, asked for conditions ``c``."""
        at = torch.full((len(x_t),), t, device=self.device)
        asked = torch.tensor(c, device=self.device)
        together = max(1, min(TOGETHER, CELLS_TOGETHER // x_t[0, 0].numel()))
        pieces = zip(x_t.split(together), at.split(together), asked.split(together), strict=True)
        x0 = torch.cat([self.scores[whose].steered(*piece, self.guidance) for piece in pieces])
        return self.family.pictured(x0, self.base)

    def signal(self, t: float) -> float:
        """Return how much of an image noised to time ``t`` is signal: 1 is the clean image, 0 is noise alone."""
        return float(self.schedule.signal_left(torch.tensor([t], device=self.device)))


def _plainly(plan: PromptPlan) -> tuple[tuple[ForgottenPrompt, ...], ...]:
    """What is forgotten, asked for as a user does: guided away from nothing."""
    return tuple(tuple(dataclasses.replace(one, negative="") for one in item) for item in plan.forgotten)
