"""Class-conditional diffusers ``UNet2DModel`` over a DDPM schedule: asked by a class label, eps- or v-prediction."""

from __future__ import annotations

from sfd_core.families.description import Description
from sfd_core.request.recipe import Recipe

DESCRIPTION = Description(
    "class_unet",
    conditions="classes",
    recipe=Recipe(),
    pipelines=("ClassConditionalPipeline",),
    # There is no unconditional side to be guided from, and no attention that adapters are tried on.
    without=frozenset(
        {
            "kappa1",
            "kappa2",
            "kappa3",
            "kappa4",
            "condition_dropout",
            "attention_slicing",
            "lora_rank_generator",
            "lora_rank_fake_score",
        }
    ),
)
