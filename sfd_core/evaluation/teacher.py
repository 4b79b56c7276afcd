"""The teacher at its own sampler: DDIM (Song et al. 2021) over the base model's own schedule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, UNet2DModel
from numpy.typing import NDArray

from sfd_core.generator import noise_of, to_uint8
from sfd_core.loading import LoadedBase

BATCH = 100


class TeacherSampler:
    """Images of the untouched base model, ``steps`` network evaluations each, from the same seeds as a generator's."""

    def __init__(self, base: LoadedBase, steps: int, device: torch.device | str = "cpu") -> None:
        self.unet: UNet2DModel = base.unet.to(device).eval()
        self.patch = base.model.image.patch
        self.steps = steps
        schedule = base.schedule
        self.scheduler = DDIMScheduler(
            num_train_timesteps=schedule.steps,
            trained_betas=schedule.betas.tolist(),
            prediction_type=schedule.prediction_type,
            clip_sample=True,
            set_alpha_to_one=True,
            timestep_spacing="trailing",
        )

    @torch.no_grad()
    def sample_labels(self, labels: Sequence[int], seeds: Sequence[int]) -> NDArray[np.uint8]:
        """One image for each (label, seed): uint8 [n, H, W] or [n, H, W, 3]."""
        device = next(self.unet.parameters()).device
        self.scheduler.set_timesteps(self.steps, device=device)
        size = self.unet.config.sample_size
        shape = (self.unet.config.in_channels, size, size)
        images = []
        for i in range(0, len(labels), BATCH):
            x = noise_of(seeds[i : i + BATCH], shape).to(device)
            c = torch.tensor(labels[i : i + BATCH], device=device)
            for t in self.scheduler.timesteps:
                output = self.unet(x, t, class_labels=c).sample
                x = self.scheduler.step(output, t, x).prev_sample
            images.append(to_uint8(F.pixel_shuffle(x, self.patch)))
        return np.concatenate(images)
