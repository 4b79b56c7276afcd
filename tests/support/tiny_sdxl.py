"""A Stable Diffusion XL that trains in milliseconds: stock ``StableDiffusionXLPipeline`` parts, untrained, with two
text encoders of other widths and another token to fill up with, as published ones have; 16x16 pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from sfd_core.base_model.manifest import BaseModel
from tests.support.tiny_text_model import Prediction, clip_tokenizer, tiny_autoencoder, write_text_model

WIDTHS = 16, 24
"""Of the two text encoders' states."""
POOLED, SIZE = 12, 4
"""Width of the pooled state, and of each number that says a size."""


def make_tiny_sdxl(
    folder: Path,
    name: str = "tiny-sdxl",
    *,
    prediction_type: Prediction = "epsilon",
    domains: bool = False,
    zeros: bool = True,
) -> BaseModel:
    """Write the model into ``folder`` and read its manifest. Seeded: the same bytes every time. ``domains``: as of
    :func:`tests.support.tiny_text_model.make_tiny_text_model`; ``zeros``: its ``force_zeros_for_empty_prompt``."""
    said = {"name": name, "title": "Noise by words, of two encoders", "family": "sdxl"}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return write_text_model(folder, _pipeline(prediction_type, zeros), said, domains=domains)


def _pipeline(prediction_type: Prediction, zeros: bool) -> StableDiffusionXLPipeline:
    first, second = clip_tokenizer(), clip_tokenizer(pad_token="!")
    unet = UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(1, 2),  # in this class: the number of heads
        cross_attention_dim=sum(WIDTHS),
        norm_num_groups=4,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=SIZE,
        projection_class_embeddings_input_dim=POOLED + 6 * SIZE,
    )
    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        timestep_spacing="leading",
        prediction_type=prediction_type,
    )
    return StableDiffusionXLPipeline(
        tiny_autoencoder(),
        CLIPTextModel(_clip(first, WIDTHS[0], "quick_gelu")),
        CLIPTextModelWithProjection(_clip(second, WIDTHS[1], "gelu")),
        first,
        second,
        unet,
        scheduler,
        force_zeros_for_empty_prompt=zeros,
        add_watermarker=False,
    )


def _clip(tokenizer: CLIPTokenizer, width: int, act: str) -> CLIPTextConfig:
    special = ("bos_token_id", "eos_token_id", "pad_token_id")
    numbers: dict[str, Any] = {name: getattr(tokenizer, name) for name in special}
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=77,
        projection_dim=POOLED,
        hidden_act=act,
        **numbers,
    )
