"""Flow-matching transformers: ``StableDiffusion3Pipeline``, ``FluxPipeline``, ``SanaPipeline``. They predict velocities
over latents and are asked by prompts."""

from __future__ import annotations

from sfd_core.base_model.manifest_parts import ImageFormat
from sfd_core.families.flow.pipelines import layouts
from sfd_core.families.flow.recipe import FLOW
from sfd_core.families.flow.times import check_sigmas
from sfd_core.families.text.description import text_description

IMAGE = ImageFormat(3, 1024, 1024)
"""What published ones mostly make."""
NO_SLICES = "no setting of these models: their transformers compute their attention whole"

DESCRIPTION = text_description(
    "flow",
    layouts(),
    FLOW,
    IMAGE,
    one_step_scheduler="FlowMatchEulerDiscreteScheduler",
    budget_images=12_800,
    checked_for_one=1.7,  # unmeasured: Stable Diffusion's, which is guided over latents too
    several_steps=True,
    without={"attention_slicing": NO_SLICES},
    check_times=check_sigmas,
)
