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

from sfd_core.base_model.vocabulary import EvaluationPrompts
from sfd_core.families.images import noise_of, noise_shape
from sfd_core.families.sampling import SAMPLE_BATCH, PromptSampler, evaluation_prompts
from sfd_core.families.text.loaded import LoadedPipeline
from sfd_core.families.text.schedulers import Drawing
from sfd_core.families.text.text_parts import TextParts
from sfd_core.families.usage import Usage


class TextGenerator(PromptSampler):
    """Images from one network evaluation each."""

    def __init__(
        self,
        network: Any,
        drawing: Drawing,
        text: TextParts,
        asked: EvaluationPrompts | None = None,
    ) -> None:
        self.network = network.eval()
        self.drawing = drawing
        self.text = text
        self.asked = asked

    @property
    def start(self) -> float:
        """The time at which it asks its network first."""
        return self.drawing.start

    @property
    def usage(self) -> Usage:
        """How stock diffusers draws with the folder that it is saved to."""
        return Usage(self.text.opening, ("num_inference_steps=1", *self.text.arguments))

    @classmethod
    def of(cls, network: Any, base: LoadedPipeline, start: float) -> TextGenerator:
        """Make a generator around a network in memory; the network and the text side of ``base`` are shared, not
        copied."""
        return cls(network, base.schedulers.drawing(base.schedule, start), base.text, evaluation_prompts(base.model))

    @torch.no_grad()
    def sample_prompts(self, prompts: Sequence[str], seeds: Sequence[int]) -> NDArray[np.uint8]:
        """Make one image for each (prompt, seed): uint8 [n, H, W, 3]."""
        images = []
        for i in range(0, len(prompts), SAMPLE_BATCH):
            n = len(prompts[i : i + SAMPLE_BATCH])
            # Filled up as OneStepGenerator's batches are: kernels may round differently for other batch sizes.
            filled = [*prompts[i : i + n], *[prompts[i + n - 1]] * (SAMPLE_BATCH - n)]
            noise = noise_of([*seeds[i : i + n], *[seeds[i + n - 1]] * (SAMPLE_BATCH - n)], noise_shape(self.network))
            images.append(self.text.autoencoder.pictures(self._latents(filled, noise))[:n])
        return np.concatenate(images)

    def _latents(self, prompts: Sequence[str], noise: torch.Tensor) -> torch.Tensor:
        device = next(self.network.parameters()).device
        c = self.text.embeddings(prompts).to(device)
        return self.drawing.x0(lambda x, t: self.text.output(self.network, x, t, c), noise.to(device))

    def save(self, folder: Path) -> None:
        """Write a stock pipeline folder: safetensors, configurations, tokenizers."""
        self.text.pipeline(self.network, self.drawing.scheduler).save_pretrained(folder, safe_serialization=True)
