"""Stable Diffusion 3: two of CLIP's text encoders and, where it is there, a T5."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import SD3Transformer2DModel, StableDiffusion3Pipeline
from torch import Tensor
from transformers import CLIPTextModelWithProjection

from sfd_core.base_model.configs import read_config
from sfd_core.base_model.safe_files import load_network
from sfd_core.families.flow.pipelines import layout_of
from sfd_core.families.flow.pipelines.sd3.empty_tokens import OneForMany
from sfd_core.families.flow.pipelines.sd3.layout import CLIPS, LAYOUTS, T5_ENCODER, T5_TOKENS
from sfd_core.families.flow.shifted import load_shifted_autoencoder
from sfd_core.families.text.clip_reader import load_clip, same_length
from sfd_core.families.text.packing import Packing
from sfd_core.families.text.stock_pipeline import StockPipeline
from sfd_core.families.text.t5_reader import load_t5
from sfd_core.families.text.text_parts import TextParts

HIDDEN, POOLED, OF_T5 = "hidden", "pooled", "of_t5"


@dataclass
class Sd3Text(TextParts):
    """The text side of Stable Diffusion 3. An embedding is the last but one states of a prompt's tokens, of both of
    CLIP's encoders beside each other [L, D1 + D2], their pooled and projected states [P1 + P2], and the last states of
    the T5 [256, J] if there is one, as one row. ``joint``: J, the width of the states that a network is asked with."""

    joint: int

    @property
    def guidance(self) -> float:
        return 7.0

    @property
    def opening(self) -> str:
        without = "" if self._has_t5 else ", text_encoder_3=None, tokenizer_3=None"
        return f"StableDiffusion3Pipeline.from_pretrained(folder{without})"

    def embedded(self, states: Sequence[Any]) -> Tensor:
        first, second, *more = states
        clips = (first, second)
        parts = {
            # The stock pipeline always takes the last but one layer.
            HIDDEN: torch.cat([read.hidden_states[-2] for read in clips], dim=-1),
            POOLED: torch.cat([read.text_embeds for read in clips], dim=-1),
        }
        if more:
            parts[OF_T5] = more[0].last_hidden_state
        return self._packing.together(parts).float()

    def output(self, network: Callable[..., Any], x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        asked = self._packing.apart(c)
        hidden = F.pad(asked[HIDDEN], (0, self.joint - asked[HIDDEN].shape[-1]))
        alike, further = 1, asked.get(OF_T5)
        if further is None:
            # What a T5 would have made, where there is none, is zeros to the stock pipeline.
            alike, further = T5_TOKENS, hidden.new_zeros(len(hidden), 1, self.joint)
        output: Tensor = network(
            hidden_states=x,
            timestep=t.expand(len(x)),
            encoder_hidden_states=torch.cat([hidden, further], dim=1),
            pooled_projections=asked[POOLED],
            joint_attention_kwargs={"alike": alike},
            return_dict=False,
        )[0]
        return output

    def pipeline(self, network: Any, scheduler: Any) -> Any:
        encoders = [reader.encoder for reader in self.readers]
        tokenizers = [reader.tokenizer for reader in self.readers]
        if not self._has_t5:
            encoders.append(None)
            tokenizers.append(None)
        parts = [part for pair in zip(encoders, tokenizers, strict=True) for part in pair]
        return StableDiffusion3Pipeline(network, scheduler, self.autoencoder.vae, *parts)

    @cached_property
    def _packing(self) -> Packing:
        clips = [reader.encoder.config for reader in self.readers[: len(CLIPS)]]
        shapes: dict[str, tuple[int, ...]] = {
            HIDDEN: (self.readers[0].longest, sum(config.hidden_size for config in clips)),
            POOLED: (sum(config.projection_dim for config in clips),),
        }
        if self._has_t5:
            shapes[OF_T5] = (T5_TOKENS, self.joint)
        return Packing(shapes)

    @property
    def _has_t5(self) -> bool:
        return len(self.readers) > len(CLIPS)


def _load_network(folder: Path) -> Any:
    network = load_network(folder, SD3Transformer2DModel, read_config(folder / "config.json")).eval()
    network.set_attn_processor(OneForMany())
    return network


def _read_text(folder: Path) -> Sd3Text:
    clips = [
        load_clip(folder, CLIPTextModelWithProjection, encoder, tokenizer, masked=False, every_layer=True)
        for encoder, tokenizer in zip(CLIPS, ("tokenizer", "tokenizer_2"), strict=True)
    ]
    same_length(folder, *clips)
    t5 = [load_t5(folder, T5_ENCODER, "tokenizer_3", T5_TOKENS)] if T5_ENCODER in layout_of(folder).parts else []
    joint = int(read_config(folder / "transformer" / "config.json").get("joint_attention_dim", 4096))
    return Sd3Text((*clips, *t5), load_shifted_autoencoder(folder), joint)


PIPELINE = StockPipeline(
    layouts=LAYOUTS,
    network=SD3Transformer2DModel,
    load_network=_load_network,
    read_text=_read_text,
    shape=("joint_attention_dim", "pooled_projection_dim", "in_channels", "sample_size"),
    steps=28,
)
