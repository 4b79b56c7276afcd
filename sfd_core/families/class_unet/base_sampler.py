"""A class-conditional model at its own sampler: DDIM (Song et al. 2021) over its own schedule, or what its family
samples with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from sfd_core.families.class_unet.schedulers import OVER_STEPS, Schedulers
from sfd_core.families.ddim import BATCH
from sfd_core.families.images import noise_of, noise_shape, to_uint8
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.sampling import ImageSampler


class ManyStepSampler(ImageSampler):
    """Images of the untouched base model, ``steps`` network evaluations each, from the same seeds as a generator's."""

    def __init__(
        self,
        base: LoadedBase,
        steps: int,
        device: torch.device | str = "cpu",
        schedulers: Schedulers = OVER_STEPS,
    ) -> None:
        self.network = base.network.to(device).eval()
        self.patch = base.model.image.patch
        self.steps = self.network_evaluations = steps
        self.scheduler = schedulers.many_steps(base.schedule)

    def sample_labels(self, labels: Sequence[int], seeds: Sequence[int]) -> NDArray[np.uint8]:
        """Make one image for each (label, seed): uint8 [n, H, W] or [n, H, W, 3]."""
        images, shape = [], noise_shape(self.network)
        for i in range(0, len(labels), BATCH):
            x0 = self.from_noise(noise_of(seeds[i : i + BATCH], shape), torch.tensor(labels[i : i + BATCH]))
            images.append(to_uint8(F.pixel_shuffle(x0, self.patch)))
        return np.concatenate(images)

    @torch.no_grad()
    def from_noise(self, z: Tensor, c: Tensor) -> Tensor:
        """Return the x0 [n, C, H, W] of unit noise z [n, C, H, W] and labels c [n]."""
        device = next(self.network.parameters()).device
        self.scheduler.set_timesteps(self.steps, device=device)
        x: Tensor = z.to(device) * self.scheduler.init_noise_sigma
        c = c.to(device)
        for t in self.scheduler.timesteps:
            output = self.network(self.scheduler.scale_model_input(x, t), t, class_labels=c).sample
            x = self.scheduler.step(output, t, x).prev_sample
        return x
