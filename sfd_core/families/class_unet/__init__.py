"""Class-conditional diffusers ``UNet2DModel`` over a DDPM schedule: asked by a class label, eps- or v-prediction."""

from __future__ import annotations

from sfd_core.families.description import Description
from sfd_core.request.recipe import RECIPES

DESCRIPTION = Description(
    "class_unet", conditions="classes", recipe=RECIPES["class_unet"], pipelines=("ClassConditionalPipeline",)
)
