"""Class-conditional diffusers ``UNet2DModel`` over a DDPM schedule: asked by a class label, eps- or v-prediction."""

from __future__ import annotations

from sfd_core.families.class_unet.layout import LAYOUT
from sfd_core.families.description import NO_NEGATIVE, Description
from sfd_core.request.concepts import Budget
from sfd_core.request.recipe import Recipe

UNGUIDED = "supported for guided models only: this one knows no empty condition to be guided from"
UNTRIED = "supported for text-to-image models only"

DESCRIPTION = Description(
    "class_unet",
    conditions="classes",
    recipe=Recipe(),
    budget_images=Budget().images,
    checked_for_one=7.0,
    pipelines=("ClassConditionalPipeline",),
    without={
        **dict.fromkeys(("kappa1", "kappa2", "kappa3", "kappa4", "condition_dropout"), UNGUIDED),
        **dict.fromkeys(("deep_kappa", "negative_in_fake_score"), NO_NEGATIVE),
        **dict.fromkeys(("attention_slicing", "lora_rank_generator", "lora_rank_fake_score"), UNTRIED),
    },
    folder=LAYOUT,
)
