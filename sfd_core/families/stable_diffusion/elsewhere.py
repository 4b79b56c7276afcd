"""External text-to-image generators, and the untouched base model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel

from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.safe_files import load_unet
from sfd_core.errors import ModelRefused
from sfd_core.families.fitting import same_schedule, same_shape
from sfd_core.families.sampling import evaluation_prompts
from sfd_core.families.stable_diffusion.base_sampler import GuidedDdimSampler
from sfd_core.families.stable_diffusion.generator import TextGenerator
from sfd_core.families.stable_diffusion.index import check_index
from sfd_core.families.stable_diffusion.loading import LoadedPipeline, load_text_parts
from sfd_core.families.stable_diffusion.part_configs import check_unet

STEPS, GUIDANCE = 50, 7.5
"""How a model is sampled whose manifest does not say: as diffusers' ``StableDiffusionPipeline`` does."""
SHAPE = ("cross_attention_dim", "in_channels", "sample_size")


def open_elsewhere(
    folder: Path, base: LoadedPipeline, steps: int | None, device: torch.device | str
) -> TextGenerator | GuidedDdimSampler:
    """Open a pipeline folder: one of ours is known by its schedule, which ends where its only step starts; any other is
    sampled in ``steps`` steps (default: the base model's own).

    Raises:
        ModelRefused: for a folder that is none, or whose networks or schedule are not the base model's.
    """
    check_index(folder)
    check_unet(folder)
    unet: UNet2DConditionModel = load_unet(folder / "unet", UNet2DConditionModel)
    same_shape(folder, unet, base, SHAPE)
    last = read_config(folder / "scheduler" / "scheduler_config.json").get("num_train_timesteps")
    if isinstance(last, int) and last < base.schedule.steps:
        if steps not in (None, 1):
            raise ModelRefused(f"{folder}: a one-step generator; it cannot be sampled in {steps} steps")
        return TextGenerator.load(folder, str(device), evaluation_prompts(base.model))
    same_schedule(folder, base)
    return base_sampler(dataclasses.replace(base, network=unet, text=load_text_parts(folder)), device, steps)


def base_sampler(base: LoadedPipeline, device: torch.device | str, steps: int | None = None) -> GuidedDdimSampler:
    """Return the untouched base model at ``steps`` steps an image (default: its own)."""
    steps = steps or int(base.model.figures.get("network_evaluations", STEPS))
    return GuidedDdimSampler(base, steps, guidance_of(base.model), device)


def guidance_of(model: BaseModel) -> float:
    """Return the strength of guidance at which the base model is sampled."""
    return float(model.figures.get("guidance", GUIDANCE))
