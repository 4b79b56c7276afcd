"""A text-to-image model at its own sampler, guided, over its own schedule: DDIM (Song et al. 2021) or what its family
samples with."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from sfd_core.families.ddim import BATCH, CELLS_TOGETHER
from sfd_core.families.images import noise_of, noise_shape
from sfd_core.families.sampling import PromptSampler, evaluation_prompts
from sfd_core.families.text.loaded import LoadedPipeline


class GuidedSampler(PromptSampler):
    """Images of the untouched base model in ``steps`` steps, from the same seeds as a generator's; a step takes two
    network evaluations where ``guidance`` is not 1 (Ho & Salimans 2022, arXiv 2207.12598)."""

    def __init__(self, base: LoadedPipeline, steps: int, guidance: float, device: torch.device | str = "cpu") -> None:
        self.network = base.network.to(device).eval()
        self.text = base.text.to(device)
        self.asked = evaluation_prompts(base.model)
        self.steps = steps
        self.guidance = guidance
        self.network_evaluations = steps * (2 if self._leads_away else 1)
        self.scheduler = partial(base.schedulers.many_steps, base.schedule, steps)

    def at(self, guidance: float) -> GuidedSampler:
        """Return the same sampler at another strength of ``guidance``; the networks are shared."""
        other = copy.copy(self)
        other.guidance = guidance
        other.network_evaluations = self.steps * (2 if other._leads_away else 1)
        return other

    @torch.no_grad()
    def sample_prompts(self, prompts: Sequence[str], seeds: Sequence[int]) -> NDArray[np.uint8]:
        """Make one image for each (prompt, seed): uint8 [n, H, W, 3]."""
        device = next(self.network.parameters()).device
        images, shape = [], noise_shape(self.network)
        batch = max(1, min(BATCH, CELLS_TOGETHER // (shape[1] * shape[2])))
        for i in range(0, len(prompts), batch):
            x = noise_of(seeds[i : i + batch], shape).to(device)
            c = self.text.embeddings(prompts[i : i + batch]).to(device)
            n = self.text.nothing().to(device).expand_as(c)
            scheduler = self.scheduler(device)
            for t in scheduler.timesteps:
                x = scheduler.step(self._guided(x, t, c, n), t, x).prev_sample
            images.append(self.text.autoencoder.pictures(x))
        return np.concatenate(images)

    def _guided(self, x: torch.Tensor, t: torch.Tensor, c: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
        """What the network puts out for prompts ``c``, guided away from ``n``; x: [B, C, h, w]."""
        if self.text.guides_itself:
            return self.text.output(self.network, x, t, self.text.guided_by(c, self.guidance))
        if not self._leads_away:
            return self.text.output(self.network, x, t, c)
        away, towards = self.text.output(self.network, x.repeat(2, 1, 1, 1), t, torch.cat([n, c])).chunk(2)
        return away + self.guidance * (towards - away)

    @property
    def _leads_away(self) -> bool:
        return self.guidance != 1 and not self.text.guides_itself
