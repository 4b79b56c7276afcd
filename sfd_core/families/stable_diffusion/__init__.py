"""Stable Diffusion 1.x and 2.x: ``StableDiffusionPipeline``, a U-Net over latents that is asked by prompts."""

from __future__ import annotations

from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.manifest_parts import ImageFormat
from sfd_core.families.stable_diffusion.pipeline_layout import LAYOUT
from sfd_core.families.stable_diffusion.recipe import STABLE_DIFFUSION
from sfd_core.families.text.description import text_description, unfetched

NAME = "stable_diffusion"
SD_IMAGE = ImageFormat(3, 512, 512)
"""What Stable Diffusion 1.x makes."""

DESCRIPTION = text_description(
    NAME,
    (LAYOUT,),
    STABLE_DIFFUSION,
    SD_IMAGE,
    budget_images=12_800,
    checked_for_one=1.7,
)


def plain_text_model(name: str, title: str, image: ImageFormat = SD_IMAGE) -> BaseModel:
    """Make a model of which nothing is known but its name and the ``image`` that it makes."""
    return unfetched(NAME, image, name, title)
