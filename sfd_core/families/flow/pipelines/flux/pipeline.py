"""FLUX.1: one of CLIP's text encoders, whose pooled state alone is asked for, and a T5. Latents two by two are one
token, and the strength of guidance is a number that the network is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import FluxPipeline, FluxTransformer2DModel
from torch import Tensor

from sfd_core.base_model.configs import read_config
from sfd_core.base_model.safe_files import load_network
from sfd_core.families.flow.pipelines.flux.layout import (
    CELLS,
    LAYOUTS,
    SIDE,
    T5_ENCODER,
    T5_TOKENIZER,
    T5_TOKENS,
    guides_itself,
)
from sfd_core.families.flow.shifted import load_shifted_autoencoder
from sfd_core.families.text.clip_reader import load_clip
from sfd_core.families.text.packing import Packing
from sfd_core.families.text.stock_pipeline import StockPipeline
from sfd_core.families.text.t5_reader import load_t5
from sfd_core.families.text.text_parts import TextParts

HIDDEN, POOLED, GUIDANCE = "hidden", "pooled", "guidance"
STRENGTH = 3.5
"""Of guidance, where nothing says another: what the stock pipeline has."""
_SAID_HERE = ("sample_size", "latent_channels")
"""Of our own in a network's configuration."""


@dataclass
class FluxText(TextParts):
    """The text side of FLUX. An embedding is the T5's last states of a prompt's tokens [512, J], CLIP's pooled state
    [P] and the strength of guidance, as one row. ``guides``: the network is given that strength. ``side``: latents of a
    picture along an edge, ``pixels`` of them."""

    guides: bool
    side: int
    pixels: int

    @property
    def guidance(self) -> float:
        """FLUX.1 schnell, which is not given the number, is not guided at all."""
        return STRENGTH if self.guides else 1

    @property
    def opening(self) -> str:
        return "FluxPipeline.from_pretrained(folder)"

    @property
    def arguments(self) -> Sequence[str]:
        strength = (f"guidance_scale={STRENGTH}",) if self.guides else ()
        size = (f"height={self.pixels}", f"width={self.pixels}") if self.side != SIDE else ()
        return (*strength, *size)

    @property
    def guides_itself(self) -> bool:
        return self.guides

    def guided_by(self, c: Tensor, kappa: float) -> Tensor:
        return torch.cat([c[:, :-1], torch.full_like(c[:, -1:], kappa)], dim=1)

    def embedded(self, states: Sequence[Any]) -> Tensor:
        clip, t5 = states
        strength = torch.full_like(clip.pooler_output[:, :1], STRENGTH)
        parts = {HIDDEN: t5.last_hidden_state, POOLED: clip.pooler_output, GUIDANCE: strength}
        return self._packing.together(parts).float()

    def output(self, network: Callable[..., Any], x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        asked = self._packing.apart(c)
        rows, columns = (edge // 2 for edge in x.shape[2:])
        places = torch.cartesian_prod(torch.zeros(1, dtype=torch.long), torch.arange(rows), torch.arange(columns))
        output: Tensor = network(
            hidden_states=packed(x),
            timestep=t.expand(len(x)) / 1000,
            guidance=asked[GUIDANCE][:, 0] if self.guides else None,
            encoder_hidden_states=asked[HIDDEN],
            pooled_projections=asked[POOLED],
            txt_ids=torch.zeros(T5_TOKENS, 3, device=x.device),
            img_ids=places.to(x.device, torch.float32),
            return_dict=False,
        )[0]
        return unpacked(output, rows, columns)

    def as_pipelines_draw(self, noise: Tensor) -> Tensor:
        """The pipeline draws noise of tokens between its steps, and of latents before the first."""
        n, channels, height, width = noise.shape
        tokens = noise.reshape(n, height * width // CELLS, channels * CELLS)
        return unpacked(tokens, height // 2, width // 2)

    def pipeline(self, network: Any, scheduler: Any) -> Any:
        clip, t5 = self.readers
        return FluxPipeline(
            scheduler, self.autoencoder.vae, clip.encoder, clip.tokenizer, t5.encoder, t5.tokenizer, network
        )

    @cached_property
    def _packing(self) -> Packing:
        clip, t5 = (reader.encoder.config for reader in self.readers)
        return Packing({HIDDEN: (T5_TOKENS, t5.d_model), POOLED: (clip.hidden_size,), GUIDANCE: (1,)})


def packed(x: Tensor) -> Tensor:
    """Return latents [B, C, H, W] as tokens [B, H/2 W/2, 4 C]."""
    return F.pixel_unshuffle(x, 2).flatten(2).transpose(1, 2)


def unpacked(tokens: Tensor, rows: int, columns: int) -> Tensor:
    """Return tokens [B, rows columns, 4 C] as latents [B, C, 2 rows, 2 columns]."""
    return F.pixel_shuffle(tokens.transpose(1, 2).unflatten(2, (rows, columns)), 2)


def _load_network(folder: Path) -> Any:
    config = dict(read_config(folder / "config.json"))
    side = config.get("sample_size", SIDE)
    own = {name: value for name, value in config.items() if name not in _SAID_HERE}
    network = load_network(folder, FluxTransformer2DModel, own).eval()
    network.register_to_config(sample_size=side, latent_channels=network.config.in_channels // CELLS)
    return network


def _read_text(folder: Path) -> FluxText:
    readers = (
        load_clip(folder, masked=False),
        load_t5(folder, T5_ENCODER, T5_TOKENIZER, T5_TOKENS),
    )
    side = int(read_config(folder / "transformer" / "config.json").get("sample_size", SIDE))
    (layout,) = LAYOUTS
    return FluxText(readers, load_shifted_autoencoder(folder), guides_itself(folder), side, layout.image(folder).height)


PIPELINE = StockPipeline(
    layouts=LAYOUTS,
    network=FluxTransformer2DModel,
    load_network=_load_network,
    read_text=_read_text,
    shape=("joint_attention_dim", "pooled_projection_dim", "in_channels", "sample_size", "guidance_embeds"),
    steps=28,
)
