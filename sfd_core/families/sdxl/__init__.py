"""Stable Diffusion XL: ``StableDiffusionXLPipeline``, a U-Net over latents that is asked by what two text encoders make
of a prompt and by the size of the picture."""

from __future__ import annotations

from sfd_core.base_model.manifest_parts import ImageFormat
from sfd_core.families.sdxl.pipeline_layout import LAYOUT
from sfd_core.families.sdxl.recipe import SDXL
from sfd_core.families.text.description import text_description

NAME = "sdxl"
SDXL_IMAGE = ImageFormat(3, 1024, 1024)
"""What Stable Diffusion XL makes."""

DESCRIPTION = text_description(
    NAME,
    (LAYOUT,),
    SDXL,
    SDXL_IMAGE,
    budget_images=12_800,
    checked_for_one=1.7,
)
