"""SANA: Gemma 2 as text encoder, and an autoencoder that makes one latent of many pixels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from diffusers import AutoencoderDC, SanaPipeline, SanaTransformer2DModel
from torch import Tensor

from sfd_core.base_model.configs import read_config
from sfd_core.base_model.safe_files import load_network
from sfd_core.families.autoencoder import Autoencoder, load_autoencoder
from sfd_core.families.flow.pipelines.sana.layout import DEEP, LAYOUT, LAYOUTS, SIDE, TOKENS
from sfd_core.families.flow.pipelines.sana.reader import GemmaReader, load_gemma
from sfd_core.families.text.packing import Packing
from sfd_core.families.text.stock_pipeline import StockPipeline
from sfd_core.families.text.text_parts import TextParts

HIDDEN, MASK = "hidden", "mask"
BINNED = (1024, 16, 32, 64, 128)
"""Latents along an edge that the stock pipeline knows sizes of pictures for, and the pixels that it draws by itself."""


@dataclass
class SanaText(TextParts):
    """The text side of SANA. An embedding is Gemma's last states of 300 tokens [300, D] and which of these are read
    [300], as one row. ``side``: latents of a picture along an edge, ``pixels`` of them. ``scale``: of the network's
    times."""

    side: int
    pixels: int
    scale: float

    @property
    def guidance(self) -> float:
        return 4.5

    @property
    def opening(self) -> str:
        return "SanaPipeline.from_pretrained(folder)"

    @property
    def arguments(self) -> Sequence[str]:
        size = (f"height={self.pixels}", f"width={self.pixels}") if self.pixels != BINNED[0] else ()
        binned = () if self.side in BINNED[1:] else ("use_resolution_binning=False",)
        return ("guidance_scale=1", *size, *binned)

    def embedded(self, states: Sequence[Any]) -> Tensor:
        (read,) = states
        return self._packing.together({HIDDEN: read.hidden, MASK: read.mask.to(read.hidden.dtype)}).float()

    def nothing(self) -> Tensor:
        return self.led_away([""])

    def led_away(self, prompts: Sequence[str]) -> Tensor:
        """The stock pipeline puts no instruction before what it guides away from."""
        (reader,) = self.readers
        assert isinstance(reader, GemmaReader)  # as load_gemma made it
        return self.embedded([dataclasses.replace(reader, instructed=False).states(prompts)]).cpu()

    def output(self, network: Callable[..., Any], x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        asked = self._packing.apart(c)
        output: Tensor = network(
            x,
            encoder_hidden_states=asked[HIDDEN],
            encoder_attention_mask=asked[MASK],
            timestep=t.expand(len(x)) * self.scale,
            return_dict=False,
        )[0]
        return output

    def pipeline(self, network: Any, scheduler: Any) -> Any:
        (reader,) = self.readers
        return SanaPipeline(reader.tokenizer, reader.encoder, self.autoencoder.vae, network, scheduler)

    @cached_property
    def _packing(self) -> Packing:
        (reader,) = self.readers
        return Packing({HIDDEN: (TOKENS, reader.encoder.config.hidden_size), MASK: (TOKENS,)})


class DeepAutoencoder(Autoencoder):
    """An ``AutoencoderDC``."""

    def _encoded(self, images: Tensor) -> Tensor:
        found: Tensor = self.vae.encode(images).latent
        return found

    @property
    def _blocks(self) -> int:
        return len(self.vae.config.encoder_block_out_channels)


def _load_network(folder: Path) -> Any:
    return load_network(folder, SanaTransformer2DModel, read_config(folder / "config.json")).eval()


def _read_text(folder: Path) -> SanaText:
    config = read_config(folder / "transformer" / "config.json")
    autoencoder = load_autoencoder(folder, DEEP, AutoencoderDC, DeepAutoencoder)
    side, scale = int(config.get("sample_size", SIDE)), float(config.get("timestep_scale", 1.0))
    return SanaText((load_gemma(folder),), autoencoder, side, LAYOUT.image(folder).height, scale)


PIPELINE = StockPipeline(
    layouts=LAYOUTS,
    network=SanaTransformer2DModel,
    load_network=_load_network,
    read_text=_read_text,
    shape=("caption_channels", "in_channels", "sample_size", "timestep_scale"),
    steps=20,
)
