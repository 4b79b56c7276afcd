"""A FLUX that trains in milliseconds: stock ``FluxPipeline`` parts, untrained; 16x16 pixels. As FLUX.1 dev, which is
given the strength of guidance, or as schnell, which is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
from transformers import CLIPTextModel

from sfd_core.base_model.manifest import BaseModel
from tests.support.tiny_flow_parts import WIDTH, clip_config, tiny_t5, write_flow_model
from tests.support.tiny_text_model import clip_tokenizer, tiny_autoencoder

POOLED = 12


def make_tiny_flux(
    folder: Path, name: str = "tiny-flux", *, guided: bool = True, domains: bool = False, **scheduler: Any
) -> BaseModel:
    """Write the model into ``folder`` and read its manifest. Seeded: the same bytes every time. ``guided``: it is given
    the strength of guidance, and its times are shifted by the size of the picture. ``domains``: as of
    :func:`tests.support.tiny_text_model.make_tiny_text_model`. ``scheduler``: what its scheduler has."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        pipeline = _pipeline(guided, scheduler)
    return write_flow_model(folder, name, pipeline, domains)


def _pipeline(guided: bool, scheduler: dict[str, Any]) -> FluxPipeline:
    clip = clip_tokenizer()
    t5, t5_tokenizer = tiny_t5(WIDTH)
    transformer = FluxTransformer2DModel(
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=8,
        num_attention_heads=2,
        joint_attention_dim=WIDTH,
        pooled_projection_dim=POOLED,
        guidance_embeds=guided,
        axes_dims_rope=(4, 2, 2),
    )
    for weight in transformer.parameters():
        torch.nn.init.normal_(weight, std=0.25)
    transformer.register_to_config(sample_size=8)
    vae = tiny_autoencoder()
    vae.register_to_config(shift_factor=0.1, scaling_factor=1.5)
    shifted = {"shift": 3.0, "use_dynamic_shifting": True} if guided else {"shift": 1.0}
    return FluxPipeline(
        FlowMatchEulerDiscreteScheduler(**{**shifted, **scheduler}),
        vae,
        CLIPTextModel(clip_config(clip, POOLED, 8)),
        clip,
        t5,
        t5_tokenizer,
        transformer,
    )
