"""Stable Diffusion 1.x and 2.x: ``StableDiffusionPipeline``, a U-Net over latents that is asked by prompts."""

from __future__ import annotations

from pathlib import Path

from sfd_core.base_model.hub_layout import HubLayout
from sfd_core.base_model.manifest import BaseModel, digest_of
from sfd_core.base_model.manifest_parts import ImageFormat
from sfd_core.families.description import Description
from sfd_core.families.stable_diffusion.index import PIPELINE
from sfd_core.families.stable_diffusion.part_configs import check_pipeline, image_of
from sfd_core.families.stable_diffusion.recipe import STABLE_DIFFUSION
from sfd_core.families.stable_diffusion.unread import check_plan

NAME = "stable_diffusion"
SD_IMAGE = ImageFormat(3, 512, 512)
"""What Stable Diffusion 1.x makes."""


def plain_text_model(name: str, title: str, image: ImageFormat = SD_IMAGE) -> BaseModel:
    """Make a model of which nothing is known but its name, as of a hub's before it is fetched: no files, no domains.
    ``image``: what it makes, which a run holds against the pipeline."""
    return BaseModel(
        name=name,
        title=title,
        folder=Path(),
        family=NAME,
        license="as the hub's page says",
        data="as the hub's page says",
        concepts=(),
        image=image,
        judge=None,
        reference=None,
        figures={},
        files={},
        digest=digest_of({}),
    )


DESCRIPTION = Description(
    NAME,
    conditions="prompts",
    recipe=STABLE_DIFFUSION,
    budget_images=12_800,
    checked_for_one=1.7,
    pipelines=(PIPELINE,),
    check_plan=check_plan,
    hub=HubLayout(
        pipeline=PIPELINE,
        family=NAME,
        configs=(
            "model_index.json",
            "scheduler/scheduler_config.json",
            "unet/config.json",
            "vae/config.json",
            "text_encoder/config.json",
        ),
        weights=(
            "unet/diffusion_pytorch_model.safetensors",
            "vae/diffusion_pytorch_model.safetensors",
            "text_encoder/model.safetensors",
        ),
        tokenizers=(("tokenizer/tokenizer.json",), ("tokenizer/vocab.json", "tokenizer/merges.txt")),
        optional=("tokenizer/tokenizer_config.json", "tokenizer/special_tokens_map.json"),
        check=check_pipeline,
        image=image_of,
        unfetched=plain_text_model,
    ),
)
