"""What a text-to-image model has beside its U-Net: the tokenizer and text encoder that turn a prompt into what the
U-Net is asked with, and the autoencoder that turns latents into pictures."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from sfd_core.families.autoencoder import Autoencoder

ENCODED_TOGETHER = 64
"""Prompts a call of the text encoder."""
KEPT = 2048
"""Prompts whose embeddings are kept, those asked for last: 480 MB of Stable Diffusion 1.5's. A sampler is asked for
ever new ones."""


@dataclass
class TextParts:
    """Tokenizer, text encoder and autoencoder: frozen, in evaluation mode, shared by everything of a run. A prompt
    asked for again is not encoded again."""

    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    autoencoder: Autoencoder
    _kept: OrderedDict[str, Tensor] = field(default_factory=OrderedDict)

    def to(self, device: torch.device | str) -> TextParts:
        """Move both networks to ``device``; what was encoded stays where it is."""
        self.text_encoder.to(device)
        self.autoencoder.to(device)
        return self

    @torch.no_grad()
    def embeddings(self, prompts: Sequence[str]) -> Tensor:
        """Return what the U-Net attends to: [n, L, D] float32 on the CPU, padded to the tokenizer's length as
        ``StableDiffusionPipeline`` does."""
        asked = dict.fromkeys(prompts)
        found = {prompt: self._kept[prompt] for prompt in asked if prompt in self._kept}
        new = [prompt for prompt in asked if prompt not in found]
        for i in range(0, len(new), ENCODED_TOGETHER):
            some = new[i : i + ENCODED_TOGETHER]
            # A copy of each: a kept one must not hold on to the whole batch.
            found |= {prompt: one.clone() for prompt, one in zip(some, self._encode(some), strict=True)}
        for prompt in asked:
            self._kept[prompt] = found[prompt]
            self._kept.move_to_end(prompt)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return torch.stack([found[prompt] for prompt in prompts])

    @property
    def longest(self) -> int:
        """How many tokens are read of a prompt, with those of its start and end."""
        return int(self.tokenizer.model_max_length)

    def tokens(self, prompts: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the tokens that are read of each prompt."""
        if not prompts:
            return []
        return [tuple(ids) for ids in self.tokenizer(list(prompts), max_length=self.longest, truncation=True).input_ids]

    def _encode(self, prompts: list[str]) -> Tensor:
        longest = self.longest
        tokens = self.tokenizer(prompts, padding="max_length", max_length=longest, truncation=True, return_tensors="pt")
        mask = tokens.attention_mask if getattr(self.text_encoder.config, "use_attention_mask", None) else None
        device = self.text_encoder.device
        output = self.text_encoder(
            tokens.input_ids.to(device), attention_mask=mask.to(device) if mask is not None else None
        )
        states: Tensor = output.last_hidden_state.float().cpu()
        return states

    def cut(self, prompts: Sequence[str]) -> dict[str, str]:
        """Return the ends that do not fit between the start and the end token and are not read, by prompt."""
        room = self.longest - 2
        tokens = zip(prompts, self.tokenizer(list(prompts), add_special_tokens=False).input_ids, strict=True)
        return {prompt: self.tokenizer.decode(ids[room:]).strip() for prompt, ids in tokens if len(ids) > room}
