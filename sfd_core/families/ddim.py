"""The sampler of DDPM models in many steps: DDIM (Song et al. 2021) over the base model's own schedule."""

from __future__ import annotations

from diffusers import DDIMScheduler

from sfd_core.families.parameterization import Parameterization, VariancePreserving

BATCH = 100
"""Images that are made at a time."""
CELLS_TOGETHER = 2**16
"""Cells of latents that are in the network at a time: 16 images of Stable Diffusion's at 512 pixels."""


def ddim(schedule: Parameterization) -> DDIMScheduler:
    """Make a DDIM scheduler over ``schedule``. It does not clip x0: a step that clips x0 and keeps the network's eps
    leaves the curve that DDIM integrates, and the more steps there are, the further (docs/adr/0006).

    Raises:
        TypeError: for a network of continuous times, which has no steps to skip.
    """
    if not isinstance(schedule, VariancePreserving):
        raise TypeError(
            f"DDIM samples over the steps of a VariancePreserving, which {type(schedule).__name__} does not have"
        )
    return DDIMScheduler(
        num_train_timesteps=schedule.steps,
        trained_betas=schedule.betas.tolist(),
        prediction_type=schedule.prediction_type,
        clip_sample=False,
        set_alpha_to_one=True,
        timestep_spacing="trailing",
    )
