"""A diffusion transformer at its own sampler: guided DDIM (Song et al. 2021) over its own schedule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from diffusers import DiTTransformer2DModel
from torch import Tensor

from sfd_core.families.ddim import BATCH, CELLS_TOGETHER, ddim
from sfd_core.families.dit.loading import LoadedDit
from sfd_core.families.dit.network import null_class
from sfd_core.families.images import noise_of, noise_shape
from sfd_core.families.learned_range import without_variance
from sfd_core.families.sampling import Images, ImageSampler


class GuidedDdimSampler(ImageSampler):
    """Images of the untouched base model in ``steps`` steps, from the same seeds as a generator's; a step takes two
    network evaluations where ``guidance`` is not 1 (Ho & Salimans 2022, arXiv 2207.12598). All channels are guided, as
    by ``DiTPipeline``."""

    def __init__(self, base: LoadedDit, steps: int, guidance: float, device: torch.device | str = "cpu") -> None:
        self.network: DiTTransformer2DModel = base.network.to(device).eval()
        self.autoencoder = base.autoencoder.to(device)
        self.steps = steps
        self.guidance = guidance
        self.network_evaluations = steps * (2 if guidance != 1 else 1)
        self.scheduler = ddim(base.schedule)

    @torch.no_grad()
    def sample_labels(self, labels: Sequence[int], seeds: Sequence[int]) -> Images:
        """Make one image for each (label, seed): uint8 [n, H, W, 3]."""
        device = next(self.network.parameters()).device
        self.scheduler.set_timesteps(self.steps, device=device)
        images, shape = [], noise_shape(self.network)
        batch = max(1, min(BATCH, CELLS_TOGETHER // (shape[1] * shape[2])))
        for i in range(0, len(labels), batch):
            x = noise_of(seeds[i : i + batch], shape).to(device)
            c = torch.tensor(labels[i : i + batch], device=device)
            for t in self.scheduler.timesteps:
                x = self.scheduler.step(self._guided(x, t, c), t, x).prev_sample
            images.append(self.autoencoder.pictures(x))
        return np.concatenate(images)

    def _guided(self, x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        """What the network predicts for labels c [B], guided away from the null class; x: [B, C, h, w]."""
        if self.guidance == 1:
            return self._predicted(x, t, c)
        both = torch.cat([torch.full_like(c, null_class(self.network)), c])
        away, towards = self._predicted(x.repeat(2, 1, 1, 1), t, both).chunk(2)
        return away + self.guidance * (towards - away)

    def _predicted(self, x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        output: Tensor = self.network(x, timestep=t.expand(len(x)), class_labels=c).sample
        return without_variance(output, x)
