"""Flow-matching networks in the shapes of Stable Diffusion 3 medium, SANA 1.6B and FLUX.1 dev at 1024 pixels, by their
published configurations; what a folder leaves out is diffusers' own default."""

from __future__ import annotations

from functools import partial
from math import prod
from types import SimpleNamespace
from typing import Any

from diffusers import (
    AutoencoderDC,
    AutoencoderKL,
    FluxTransformer2DModel,
    SanaTransformer2DModel,
    SD3Transformer2DModel,
)

from benchmarks.shared.bench import Trained
from sfd_core.families.flow.parameterization import Flow
from sfd_core.families.flow.pipelines.flux.pipeline import FluxText
from sfd_core.families.flow.pipelines.sana.pipeline import SanaText
from sfd_core.families.flow.pipelines.sd3.empty_tokens import OneForMany
from sfd_core.families.flow.pipelines.sd3.pipeline import Sd3Text
from sfd_core.families.text.text_parts import TextParts

RANK, PIXELS = 64, 1024
_VAE = partial(
    AutoencoderKL,
    down_block_types=("DownEncoderBlock2D",) * 4,
    up_block_types=("UpDecoderBlock2D",) * 4,
    block_out_channels=(128, 256, 512, 512),
    layers_per_block=2,
    latent_channels=16,
    sample_size=PIXELS,
    use_quant_conv=False,
    use_post_quant_conv=False,
)
"""Of Stable Diffusion 3 and of FLUX.1."""


def _sd3() -> Any:
    network = SD3Transformer2DModel(
        sample_size=128,
        num_layers=24,
        num_attention_heads=24,
        caption_projection_dim=1536,
        out_channels=16,
        pos_embed_max_size=192,
    )
    network.set_attn_processor(OneForMany())
    return network


def _flux() -> Any:
    network = FluxTransformer2DModel(guidance_embeds=True)
    network.register_to_config(sample_size=128, latent_channels=16)
    return network


def _reader(length: int | None = None, **config: int) -> Any:
    """A text encoder of which the widths alone are known."""
    return SimpleNamespace(longest=length, encoder=SimpleNamespace(config=SimpleNamespace(**config)))


_CLIP_L = _reader(77, hidden_size=768, projection_dim=768)
_CLIP_G = _reader(77, hidden_size=1280, projection_dim=1280)
_T5 = _reader(d_model=4096)
_GEMMA = _reader(hidden_size=2304)
_NO_AUTOENCODER: Any = None


def _trained(network: Any, shift: float, text: Any, autoencoder: Any, *latents: int) -> Trained:
    return Trained("flow", network, partial(Flow, shift), text, _row(text), RANK, autoencoder, latents, PIXELS)  # type: ignore[arg-type]


def _row(text: TextParts) -> tuple[int]:
    """Of the numbers that a prompt's embedding is packed into."""
    packing: Any = text._packing  # type: ignore[attr-defined]
    return (sum(map(prod, packing.shapes.values())),)


FLOWS = {
    "sd3-medium": _trained(_sd3, 3.0, Sd3Text((_CLIP_L, _CLIP_G, _T5), _NO_AUTOENCODER, 4096), _VAE, 16, 128, 128),
    "sana-1600m": _trained(
        SanaTransformer2DModel, 3.0, SanaText((_GEMMA,), _NO_AUTOENCODER, 32, PIXELS, 1.0), AutoencoderDC, 32, 32, 32
    ),
    "flux-dev": _trained(_flux, 3.0, FluxText((_CLIP_L, _T5), _NO_AUTOENCODER, True, 128, PIXELS), _VAE, 16, 128, 128),
}
