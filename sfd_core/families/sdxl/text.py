"""What Stable Diffusion XL has beside its U-Net: two of CLIP's text encoders, and what a picture's size is told by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from diffusers import StableDiffusionXLPipeline
from torch import Tensor

from sfd_core.families.text.packing import Packing
from sfd_core.families.text.text_parts import TextParts

HIDDEN, POOLED = "hidden", "pooled"


@dataclass
class SdxlText(TextParts):
    """The text side of Stable Diffusion XL. An embedding is the last but one states of a prompt's tokens, of both
    encoders beside each other [L, D1 + D2], and the second encoder's pooled and projected state [P], as one row.

    ``height``, ``width``: of the pictures, in pixels: the U-Net is told that they are whole originals, as the stock
    pipeline tells it where nothing else is said. ``zeros``: nothing asked for is zeros, not the empty prompt
    (``force_zeros_for_empty_prompt``).
    """

    height: int
    width: int
    zeros: bool

    @property
    def guidance(self) -> float:
        return 5.0

    @property
    def opening(self) -> str:
        return "StableDiffusionXLPipeline.from_pretrained(folder, add_watermarker=False)"

    def embedded(self, states: Sequence[Any]) -> Tensor:
        # Stock pipelines always take the last but one layer.
        hidden = torch.cat([read.hidden_states[-2] for read in states], dim=-1)
        return self._packing.together({HIDDEN: hidden, POOLED: states[-1].text_embeds}).float()

    def nothing(self) -> Tensor:
        empty = super().nothing()
        return torch.zeros_like(empty) if self.zeros else empty

    def output(self, network: Callable[..., Any], x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        asked = self._packing.apart(c)
        size = torch.tensor([self.height, self.width, 0, 0, self.height, self.width], dtype=torch.float32)
        added = {"text_embeds": asked[POOLED], "time_ids": size.to(x.device).expand(len(x), -1)}
        output: Tensor = network(x, t, encoder_hidden_states=asked[HIDDEN], added_cond_kwargs=added, return_dict=False)[
            0
        ]
        return output

    def pipeline(self, network: Any, scheduler: Any) -> Any:
        first, second = self.readers
        return StableDiffusionXLPipeline(
            self.autoencoder.vae,
            first.encoder,
            second.encoder,
            first.tokenizer,
            second.tokenizer,
            network,
            scheduler,
            force_zeros_for_empty_prompt=self.zeros,
            add_watermarker=False,
        )

    @cached_property
    def _packing(self) -> Packing:
        configs = [reader.encoder.config for reader in self.readers]
        width = sum(config.hidden_size for config in configs)
        return Packing({HIDDEN: (self.longest, width), POOLED: (configs[-1].projection_dim,)})
