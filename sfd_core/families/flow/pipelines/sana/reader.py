"""Gemma 2 as the text encoder of a ``SanaPipeline``, with the tokenizer that reads for it: behind an instruction, which
the stock pipeline puts before every prompt."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from diffusers import SanaPipeline
from torch import Tensor
from transformers import Gemma2Model, GemmaTokenizerFast

from sfd_core.base_model.libraries import load_pretrained, load_tokenizer
from sfd_core.families.flow.pipelines.sana.layout import TOKENS
from sfd_core.families.text.reader import SENTENCEPIECE_WORD, TextReader

INSTRUCTION = "\n".join(inspect.signature(SanaPipeline.__call__).parameters["complex_human_instruction"].default)
"""What the stock pipeline puts before every prompt that is asked for; it ends with a space."""


@dataclass(frozen=True)
class GemmaReader(TextReader):
    """Gemma 2. What it hands out is ``hidden`` [n, 300, D] and ``mask`` [n, 300]: of the token of the start, and of the
    last 299 places, which leaves most of the instruction out. ``instructed``: prompts stand behind the instruction."""

    instructed: bool = True

    def tokens(self, prompts: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the tokens that are read of each prompt, without the instruction."""
        if not prompts:
            return []
        said = [_plain(prompt) for prompt in prompts]
        return [tuple(ids) for ids in self.tokenizer(said, max_length=TOKENS, truncation=True).input_ids]

    def cut(self, prompts: Sequence[str]) -> Mapping[str, str]:
        room = TOKENS - 2
        tokens = zip(
            prompts, self.tokenizer([_plain(one) for one in prompts], add_special_tokens=False).input_ids, strict=True
        )
        return {prompt: self.tokenizer.decode(ids[room:]).strip() for prompt, ids in tokens if len(ids) > room}

    def as_one(self, words: Sequence[str]) -> Mapping[str, int]:
        known = self.words()
        return {word: known[word] for word in words if word in known}

    @property
    def places(self) -> int:
        return len(self.tokenizer.encode(INSTRUCTION)) + TOKENS - 2 if self.instructed else TOKENS

    def said(self, prompts: Sequence[str]) -> list[str]:
        return [(INSTRUCTION if self.instructed else "") + _plain(prompt) for prompt in prompts]

    def _around(self) -> tuple[list[int], list[int]]:
        # The space at its end is the beginning of the first word.
        return self.tokenizer(INSTRUCTION.rstrip()).input_ids, []

    def _states(self, ids: Tensor, mask: Tensor) -> Any:
        device = self.encoder.device
        hidden = self.encoder(ids.to(device), attention_mask=mask.to(device))[0]
        chosen = [0, *range(-TOKENS + 1, 0)]
        return SimpleNamespace(hidden=hidden[:, chosen], mask=mask.to(device)[:, chosen])


def load_gemma(folder: Path) -> GemmaReader:
    """Load tokenizer and text encoder of a pipeline's folder whose configurations were checked, in float32 on the CPU.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    path = folder / "text_encoder"
    network = load_pretrained(Gemma2Model, path, "model.safetensors").eval().requires_grad_(False)
    read = load_tokenizer(folder / "tokenizer", GemmaTokenizerFast, "Gemma", network.config.vocab_size)
    read.padding_side = "right"
    return GemmaReader(read, network, length=TOKENS, word=SENTENCEPIECE_WORD)


def _plain(prompt: str) -> str:
    """A prompt as the stock pipeline reads it."""
    return prompt.lower().strip()
