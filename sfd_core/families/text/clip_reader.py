"""One of CLIP's text encoders with the tokenizer that reads for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer
from transformers.tokenization_utils_base import VERY_LARGE_INTEGER

from sfd_core.base_model.config_checks import is_whole, shown
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.safe_files import load_pretrained
from sfd_core.errors import ModelRefused


@dataclass(frozen=True)
class ClipReader:
    """A text encoder, frozen and in evaluation mode, and its tokenizer. ``masked``: it is not shown what fills a prompt
    up to its length. ``every_layer``: it hands out the states of every layer, not of the last alone."""

    tokenizer: CLIPTokenizer
    encoder: CLIPTextModel | CLIPTextModelWithProjection
    masked: bool = False
    every_layer: bool = False

    @property
    def longest(self) -> int:
        """How many tokens are read of a prompt, with those of its start and end."""
        return int(self.tokenizer.model_max_length)

    @property
    def token_table(self) -> Tensor:
        """The vectors of all tokens that the encoder knows: [V, D]."""
        table: Tensor = self.encoder.get_input_embeddings().weight
        return table.detach()

    def tokens(self, prompts: Sequence[str]) -> list[tuple[int, ...]]:
        """Return the tokens that are read of each prompt."""
        if not prompts:
            return []
        return [tuple(ids) for ids in self.tokenizer(list(prompts), max_length=self.longest, truncation=True).input_ids]

    def cut(self, prompts: Sequence[str]) -> Mapping[str, str]:
        """Return the ends that do not fit between the start and the end token and are not read, by prompt."""
        room = self.longest - 2
        tokens = zip(prompts, self.tokenizer(list(prompts), add_special_tokens=False).input_ids, strict=True)
        return {prompt: self.tokenizer.decode(ids[room:]).strip() for prompt, ids in tokens if len(ids) > room}

    @torch.no_grad()
    def states(self, prompts: Sequence[str]) -> Any:
        """Return what the encoder makes of ``prompts``, padded to the tokenizer's length as stock pipelines do: its
        own output, of n prompts."""
        read = self.tokenizer(
            list(prompts), padding="max_length", max_length=self.longest, truncation=True, return_tensors="pt"
        )
        return self._states(read.input_ids, read.attention_mask)

    def states_of_tokens(self, tokens: Tensor) -> Any:
        """Return the same of prompts that consist of ``tokens`` [S, K, D], of any vectors, and nothing else; gradients
        flow into these."""
        searches, each = tokens.shape[:2]
        empty = self.tokenizer("", padding="max_length", max_length=self.longest).input_ids
        begin, end, fill = empty[0], empty[1], empty[-1]
        # The searched places repeat the token of the start, of which no encoder takes the end for its own.
        ids = torch.full((searches, self.longest), fill)
        ids[:, : 1 + each], ids[:, 1 + each] = begin, end

        def put(_: Any, __: Any, found: Tensor) -> Tensor:
            return torch.cat([found[:, :1], tokens, found[:, 1 + each :]], dim=1)

        hook = self.encoder.get_input_embeddings().register_forward_hook(put)
        try:
            return self._states(ids, (torch.arange(self.longest) < each + 2).expand(searches, -1))
        finally:
            hook.remove()

    def _states(self, ids: Tensor, mask: Tensor) -> Any:
        device = self.encoder.device
        return self.encoder(
            ids.to(device),
            attention_mask=mask.to(device) if self.masked else None,
            output_hidden_states=self.every_layer,
        )


def load_clip(
    folder: Path,
    kind: type[Any] = CLIPTextModel,
    encoder: str = "text_encoder",
    tokenizer: str = "tokenizer",
    *,
    masked: bool,
    every_layer: bool = False,
) -> ClipReader:
    """Load the tokenizer and the text encoder in these subfolders of a pipeline whose configurations were checked, in
    float32 on the CPU. ``masked``: the stock pipeline hides from an encoder what fills a prompt up, where its
    configuration says so.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    read = _load_tokenizer(folder / tokenizer)
    network = load_pretrained(kind, folder / encoder, "model.safetensors").eval().requires_grad_(False)
    positions = network.config.max_position_embeddings
    if read.model_max_length == VERY_LARGE_INTEGER:  # where its files say none
        read.model_max_length = positions
    longest = read.model_max_length
    # A token to begin and one to end with, and one of the prompt.
    if not is_whole(longest) or not 3 <= longest <= positions:
        raise ModelRefused(
            f"{folder / tokenizer}: prompts of {shown(longest)} tokens, the text encoder has places for {positions} "
            "and needs 3"
        )
    if (known := network.config.vocab_size) < len(read):
        raise ModelRefused(f"{folder / tokenizer}: {len(read)} tokens, the text encoder knows {known}")
    masks = masked and bool(getattr(network.config, "use_attention_mask", None))
    return ClipReader(read, network, masks, every_layer)


def _load_tokenizer(folder: Path) -> CLIPTokenizer:
    for file in sorted(folder.glob("*.json")):
        if file.name in ("tokenizer_config.json", "special_tokens_map.json"):
            read_config(file)
    try:
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001 - whatever a hostile file provokes is a refusal
        raise ModelRefused(f"{folder}: no CLIP tokenizer can be read from it: {error}") from None
