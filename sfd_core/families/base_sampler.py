"""The teacher at its own sampler: DDIM (Song et al. 2021) over the base model's own schedule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, UNet2DConditionModel, UNet2DModel
from numpy.typing import NDArray

from sfd_core.families.images import noise_of, noise_shape, to_uint8
from sfd_core.families.loading import LoadedBase
from sfd_core.families.parameterization import Schedule
from sfd_core.families.stable_diffusion.generator import PromptSampler, evaluation_prompts

BATCH = 100
CELLS_TOGETHER = 2**16
"""Cells of latents that are in the network at a time: 16 images of Stable Diffusion's at 512 pixels."""


class TeacherSampler:
    """Images of the untouched base model, ``steps`` network evaluations each, from the same seeds as a generator's."""

    def __init__(self, base: LoadedBase, steps: int, device: torch.device | str = "cpu") -> None:
        self.unet: UNet2DModel = base.unet.to(device).eval()
        self.patch = base.model.image.patch
        self.steps = steps
        self.scheduler = _ddim(base.schedule, clip=True)

    @torch.no_grad()
    def sample_labels(self, labels: Sequence[int], seeds: Sequence[int]) -> NDArray[np.uint8]:
        """One image for each (label, seed): uint8 [n, H, W] or [n, H, W, 3]."""
        device = next(self.unet.parameters()).device
        self.scheduler.set_timesteps(self.steps, device=device)
        images = []
        for i in range(0, len(labels), BATCH):
            x = noise_of(seeds[i : i + BATCH], noise_shape(self.unet)).to(device)
            c = torch.tensor(labels[i : i + BATCH], device=device)
            for t in self.scheduler.timesteps:
                output = self.unet(x, t, class_labels=c).sample
                x = self.scheduler.step(output, t, x).prev_sample
            images.append(to_uint8(F.pixel_shuffle(x, self.patch)))
        return np.concatenate(images)


class TextTeacher(PromptSampler):
    """The same of a text-to-image model: ``steps`` steps, each two network evaluations where ``guidance`` is not 1
    (Ho & Salimans 2022, arXiv 2207.12598)."""

    def __init__(self, base: LoadedBase, steps: int, guidance: float, device: torch.device | str = "cpu") -> None:
        self.unet: UNet2DConditionModel = base.unet.to(device).eval()
        self.text = base.parts().to(device)
        self.asked = evaluation_prompts(base)
        self.steps = steps
        self.guidance = guidance
        # Latents have no bounds to be clipped to.
        self.scheduler = _ddim(base.schedule, clip=False)

    @torch.no_grad()
    def sample_prompts(self, prompts: Sequence[str], seeds: Sequence[int]) -> NDArray[np.uint8]:
        """One image for each (prompt, seed): uint8 [n, H, W, 3]."""
        device = next(self.unet.parameters()).device
        self.scheduler.set_timesteps(self.steps, device=device)
        images, shape = [], noise_shape(self.unet)
        batch = max(1, min(BATCH, CELLS_TOGETHER // (shape[1] * shape[2])))
        for i in range(0, len(prompts), batch):
            x = noise_of(seeds[i : i + batch], shape).to(device)
            c = self.text.embeddings(prompts[i : i + batch]).to(device)
            n = self.text.embeddings([""]).to(device).expand_as(c)
            for t in self.scheduler.timesteps:
                x = self.scheduler.step(self._guided(x, t, c, n), t, x).prev_sample
            images.append(self.text.pictures(x))
        return np.concatenate(images)

    def _guided(self, x: torch.Tensor, t: torch.Tensor, c: torch.Tensor, n: torch.Tensor) -> torch.Tensor:
        """What the network puts out for prompts ``c``, guided away from ``n``; x: [B, C, h, w]."""
        if self.guidance == 1:
            alone: torch.Tensor = self.unet(x, t, encoder_hidden_states=c).sample
            return alone
        away, towards = self.unet(x.repeat(2, 1, 1, 1), t, encoder_hidden_states=torch.cat([n, c])).sample.chunk(2)
        guided: torch.Tensor = away + self.guidance * (towards - away)
        return guided


def _ddim(schedule: Schedule, clip: bool) -> DDIMScheduler:
    return DDIMScheduler(
        num_train_timesteps=schedule.steps,
        trained_betas=schedule.betas.tolist(),
        prediction_type=schedule.prediction_type,
        clip_sample=clip,
        set_alpha_to_one=True,
        timestep_spacing="trailing",
    )
