"""A Stable Diffusion 3 that trains in milliseconds: stock ``StableDiffusion3Pipeline`` parts, untrained, with two of
CLIP's text encoders of other widths and, if asked for, a T5; 16x16 pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline
from transformers import CLIPTextModelWithProjection

from sfd_core.base_model.manifest import BaseModel
from tests.support.tiny_flow_parts import WIDTH, clip_config, tiny_t5, write_flow_model
from tests.support.tiny_text_model import clip_tokenizer, tiny_autoencoder

CLIP_WIDTHS = 8, 12
"""Of the states of CLIP's text encoders; the T5's, and what the network is asked with, are wider."""
POOLED = 6, 10


def make_tiny_sd3(
    folder: Path, name: str = "tiny-sd3", *, t5: bool = False, domains: bool = False, **scheduler: Any
) -> BaseModel:
    """Write the model into ``folder`` and read its manifest. Seeded: the same bytes every time. ``t5``: with its third
    text encoder. ``domains``: as of :func:`tests.support.tiny_text_model.make_tiny_text_model`. ``scheduler``: what its
    scheduler has."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipeline = _pipeline(t5, scheduler)
    return write_flow_model(folder, name, pipeline, domains)


def _pipeline(t5: bool, scheduler: dict[str, Any]) -> StableDiffusion3Pipeline:
    first, second = clip_tokenizer(), clip_tokenizer(pad_token="!")
    third, tokenizer = tiny_t5(WIDTH) if t5 else (None, None)
    transformer = SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        caption_projection_dim=16,
        pooled_projection_dim=sum(POOLED),
        pos_embed_max_size=6,
    )
    # Whether where a patch lies shows, and the condition: what is zero at the start of a training.
    for weight in transformer.parameters():
        torch.nn.init.normal_(weight, std=0.25)
    vae = tiny_autoencoder()
    vae.register_to_config(shift_factor=0.1, scaling_factor=1.5)
    clips = [
        CLIPTextModelWithProjection(clip_config(read, width, pooled))
        for read, width, pooled in zip((first, second), CLIP_WIDTHS, POOLED, strict=True)
    ]
    return StableDiffusion3Pipeline(
        transformer,
        FlowMatchEulerDiscreteScheduler(**{"shift": 3.0, **scheduler}),
        vae,
        clips[0],
        first,
        clips[1],
        second,
        third,
        tokenizer,
    )
