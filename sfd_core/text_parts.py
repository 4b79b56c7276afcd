"""What a text-to-image model has beside its U-Net: the tokenizer and text encoder that turn a prompt into what the
U-Net is asked with, and the autoencoder that turns latents into pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from sfd_core.images import to_uint8

ENCODED_TOGETHER = 64
"""Prompts a call of the text encoder."""


@dataclass
class TextParts:
    """Frozen, in evaluation mode, shared by everything of a run.

    Each prompt is encoded once and kept (on the CPU): a step of training never calls the text encoder. ``cut``: by
    prompt, the words that the tokenizer's limit left out.
    """

    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    vae: AutoencoderKL
    cut: dict[str, str] = field(default_factory=dict)
    _embedded: dict[str, Tensor] = field(default_factory=dict)

    def to(self, device: torch.device | str) -> TextParts:
        """Both networks on ``device``; what was encoded stays where it is."""
        self.text_encoder.to(device)
        self.vae.to(device)
        return self

    @torch.no_grad()
    def embeddings(self, prompts: Sequence[str]) -> Tensor:
        """What the U-Net attends to: [n, L, D] float32 on the CPU, padded to the tokenizer's length as
        ``StableDiffusionPipeline`` does. Only prompts that were never asked for reach the encoder."""
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._embedded]
        for i in range(0, len(new), ENCODED_TOGETHER):
            some = new[i : i + ENCODED_TOGETHER]
            for prompt, embedding in zip(some, self._encode(some), strict=True):
                self._embedded[prompt] = embedding
        return torch.stack([self._embedded[prompt] for prompt in prompts])

    def _encode(self, prompts: list[str]) -> Tensor:
        longest: int = self.tokenizer.model_max_length
        tokens = self.tokenizer(prompts, padding="max_length", max_length=longest, truncation=True, return_tensors="pt")
        self._note_what_is_cut(prompts, longest)
        mask = tokens.attention_mask if getattr(self.text_encoder.config, "use_attention_mask", None) else None
        device = self.text_encoder.device
        output = self.text_encoder(
            tokens.input_ids.to(device), attention_mask=mask.to(device) if mask is not None else None
        )
        states: Tensor = output.last_hidden_state.float().cpu()
        return states

    def _note_what_is_cut(self, prompts: list[str], longest: int) -> None:
        """Remember the end of each prompt that does not fit between the start and the end token."""
        for prompt, ids in zip(prompts, self.tokenizer(prompts, add_special_tokens=False).input_ids, strict=True):
            if len(ids) > longest - 2:
                self.cut[prompt] = self.tokenizer.decode(ids[longest - 2 :]).strip()

    @torch.no_grad()
    def pictures(self, latents: Tensor) -> NDArray[np.uint8]:
        """Scaled latents [n, C, h, w] decoded to uint8 [n, H, W, 3]."""
        config: Any = self.vae.config
        decoded = self.vae.decode(latents.to(self.vae.dtype) / config.scaling_factor).sample
        return to_uint8(decoded)
