"""Class-conditional diffusion transformers, ``DiTPipeline``: a ``DiTTransformer2DModel`` over latents, asked by a class
label and guided away from its null class."""

from __future__ import annotations

from sfd_core.families.description import NO_NEGATIVE, Description
from sfd_core.families.dit.layout import LAYOUT
from sfd_core.families.dit.recipe import DIT

NO_ADAPTERS = "supported for text-to-image models only: diffusers attaches no adapters to a DiTTransformer2DModel"
NO_SLICES = "supported for text-to-image models only: a DiTTransformer2DModel computes its attention whole"

DESCRIPTION = Description(
    "dit",
    conditions="classes",
    recipe=DIT,
    budget_images=12_800,
    checked_for_one=1.7,  # unmeasured: Stable Diffusion's, which is guided over latents too
    pipelines=("ClassConditionalDiTPipeline",),
    without={
        **dict.fromkeys(("deep_kappa", "negative_in_fake_score"), NO_NEGATIVE),
        **dict.fromkeys(("lora_rank_generator", "lora_rank_fake_score"), NO_ADAPTERS),
        "attention_slicing": NO_SLICES,
    },
    folder=LAYOUT,
)
