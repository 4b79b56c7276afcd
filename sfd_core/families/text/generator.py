"""The generator of a text-to-image model: the folder of a stock pipeline.

Its scheduler makes ``num_inference_steps=1, guidance_scale=1`` the generator's formula ``x = f_theta(b_tinit z, t_init,
c)`` over latents (docs/adr/0003). Whoever opens the folder in diffusers gets the same images as the trainer, the
evaluation, ``lethe sample`` and the endpoint, which sample through this class.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sfd_core.base_model.saving import ONE_FILE
from sfd_core.base_model.vocabulary import EvaluationPrompts
from sfd_core.families.images import noise_shape, noises_of
from sfd_core.families.sampling import SAMPLE_BATCH, PromptSampler, evaluation_prompts
from sfd_core.families.text.loaded import LoadedPipeline
from sfd_core.families.text.schedulers import Drawing
from sfd_core.families.text.text_parts import TextParts
from sfd_core.families.usage import Usage


class TextGenerator(PromptSampler):
    """Images from one network evaluation each, or from a few."""

    def __init__(
        self,
        network: Any,
        drawing: Drawing,
        text: TextParts,
        asked: EvaluationPrompts | None = None,
    ) -> None:
        self.network = network.eval()
        self.drawing = drawing
        self.steps = self.network_evaluations = drawing.steps
        self.text = text
        self.asked = asked

    @property
    def start(self) -> float:
        """The time at which it asks its network first."""
        return self.drawing.start

    @property
    def usage(self) -> Usage:
        """How stock diffusers draws with the folder that it is saved to."""
        asked = (f"num_inference_steps={self.steps}", *self.text.arguments)
        return Usage(self.text.opening, asked, self.steps)

    @classmethod
    def of(cls, network: Any, base: LoadedPipeline, start: float, steps: int = 1) -> TextGenerator:
        """Make a generator of so many steps around a network in memory; the network and the text side of ``base`` are
        shared, not copied."""
        drawing = base.schedulers.drawing(base.schedule, start, steps)
        return cls(network, drawing, base.text, evaluation_prompts(base.model))

    @torch.no_grad()
    def sample_prompts(self, prompts: Sequence[str], seeds: Sequence[int]) -> NDArray[np.uint8]:
        """Make one image for each (prompt, seed): uint8 [n, H, W, 3]."""
        images = []
        for i in range(0, len(prompts), SAMPLE_BATCH):
            n = len(prompts[i : i + SAMPLE_BATCH])
            # Filled up as OneStepGenerator's batches are: kernels may round differently for other batch sizes.
            filled = [*prompts[i : i + n], *[prompts[i + n - 1]] * (SAMPLE_BATCH - n)]
            own = [*seeds[i : i + n], *[seeds[i + n - 1]] * (SAMPLE_BATCH - n)]
            noise = noises_of(own, noise_shape(self.network), self.steps)
            images.append(self.text.autoencoder.pictures(self._latents(filled, noise))[:n])
        return np.concatenate(images)

    def _latents(self, prompts: Sequence[str], noise: Sequence[torch.Tensor]) -> torch.Tensor:
        device = next(self.network.parameters()).device
        c = self.text.embeddings(prompts).to(device)
        z, *fresh = (of_step.to(device) for of_step in noise)
        between = [self.text.as_pipelines_draw(of_step) for of_step in fresh]
        return self.drawing.x0(lambda x, t: self.text.output(self.network, x, t, c), [z, *between])

    def save(self, folder: Path) -> None:
        """Write a stock pipeline folder: safetensors, configurations, tokenizers."""
        pipeline = self.text.pipeline(self.network, self.drawing.scheduler)
        pipeline.save_pretrained(folder, safe_serialization=True, max_shard_size=ONE_FILE)
