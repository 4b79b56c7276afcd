"""A text encoder with the tokenizer that reads for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

CLIP_WORD = re.compile(r"([a-z]+)</w>")
SENTENCEPIECE_WORD = re.compile("\N{LOWER ONE EIGHTH BLOCK}([a-z]+)")
"""How a token is written that is a whole word."""


@dataclass(frozen=True)
class TextReader:
    """A text encoder, frozen and in evaluation mode, and its tokenizer, both of transformers.

    ``masked``: the encoder is not shown what fills a prompt up to its length. ``every_layer``: it hands out the states
    of every layer, not of the last alone. ``length``: how many tokens the pipeline reads of a prompt, where that is not
    the tokenizer's own. ``word``: how a token is written that is a whole word.
    """

    tokenizer: Any
    encoder: Any
    masked: bool = False
    every_layer: bool = False
    length: int | None = None
    word: re.Pattern[str] = CLIP_WORD

    @property
    def longest(self) -> int:
        """How many tokens are read of a prompt, with those of its start and end."""
        return self.length or int(self.tokenizer.model_max_length)

    @property
    def places(self) -> int:
        """How many tokens the encoder is given, with those that fill a prompt up."""
        return self.longest

    def said(self, prompts: Sequence[str]) -> list[str]:
        """Return what the tokenizer is given of ``prompts``."""
        return list(prompts)

    @property
    def token_table(self) -> Tensor:
        """The vectors of all tokens that the encoder knows: [V, D]."""
        table: Tensor = self.encoder.get_input_embeddings().weight
        return table.detach()

    def words(self) -> Mapping[str, int]:
        """Return the tokens that are whole words, with their numbers and in the order of these."""
        tokens = sorted(self.tokenizer.get_vocab().items(), key=lambda pair: pair[1])
        return {match[1]: number for token, number in tokens if (match := self.word.fullmatch(token))}

    def as_one(self, words: Sequence[str]) -> Mapping[str, int]:
        """Return those of ``words`` that are read as one token wherever they stand, each with its number."""
        read = zip(words, self.tokenizer(list(words), add_special_tokens=False).input_ids, strict=True)
        return {word: ids[0] for word, ids in read if len(ids) == 1 and ids[0] != self.tokenizer.unk_token_id}

    def tokens(self, prompts: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the tokens that are read of each prompt."""
        if not prompts:
            return []
        return [tuple(ids) for ids in self.tokenizer(list(prompts), max_length=self.longest, truncation=True).input_ids]

    def cut(self, prompts: Sequence[str]) -> Mapping[str, str]:
        """Return the ends that do not fit between what begins and what ends a prompt and are not read, by prompt."""
        room = self.longest - sum(map(len, self._around()))
        tokens = zip(prompts, self.tokenizer(list(prompts), add_special_tokens=False).input_ids, strict=True)
        return {prompt: self.tokenizer.decode(ids[room:]).strip() for prompt, ids in tokens if len(ids) > room}

    @torch.no_grad()
    def states(self, prompts: Sequence[str]) -> Any:
        """Return what the encoder makes of ``prompts``, padded to their longest as stock pipelines do: its own output,
        of n prompts."""
        said = self.said(prompts)
        read = self.tokenizer(said, padding="max_length", max_length=self.places, truncation=True, return_tensors="pt")
        return self._states(read.input_ids, read.attention_mask)

    def states_of_tokens(self, tokens: Tensor) -> Any:
        """Return the same of prompts that consist of ``tokens`` [S, K, D], of any vectors, and nothing else; gradients
        flow into these."""
        searches, each = tokens.shape[:2]
        begin, end = self._around()
        fill = self.tokenizer("", padding="max_length", max_length=self.places).input_ids[-1]
        # The searched places repeat the token of the start, of which no encoder takes the end for its own.
        searched = slice(len(begin), len(begin) + each)
        ids = torch.full((searches, self.places), fill)
        said = [*begin, *[(begin or [fill])[-1]] * each, *end]
        ids[:, : len(said)] = torch.tensor(said)

        def put(module: Any, _: Any, found: Tensor) -> Tensor:
            scaled = tokens * getattr(module, "embed_scale", 1)  # as a Gemma looks its tokens up
            return torch.cat([found[:, : searched.start], scaled, found[:, searched.stop :]], dim=1)

        table = self.encoder.get_input_embeddings().weight
        # A T5 looks tokens up in another module than the one that it names, of the same weights.
        asked = [module for module in self.encoder.modules() if getattr(module, "weight", None) is table]
        hooks = [module.register_forward_hook(put) for module in asked]
        try:
            return self._states(ids, (torch.arange(self.places) < len(said)).expand(searches, -1))
        finally:
            for hook in hooks:
                hook.remove()

    def _around(self) -> tuple[list[int], list[int]]:
        """The tokens that every prompt begins and ends with."""
        empty = self.tokenizer("").input_ids
        begins = int(bool(empty) and empty[0] == self.tokenizer.bos_token_id)
        return empty[:begins], empty[begins:]

    def _states(self, ids: Tensor, mask: Tensor) -> Any:
        device = self.encoder.device
        return self.encoder(
            ids.to(device),
            attention_mask=mask.to(device) if self.masked else None,
            output_hidden_states=self.every_layer,
        )
