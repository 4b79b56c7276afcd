"""External generators of a class-conditional model's concepts."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from sfd_core.base_model.configs import read_config
from sfd_core.errors import ModelRefused
from sfd_core.families.class_unet.base_sampler import ManyStepSampler
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.families.class_unet.loading import load_class_unet
from sfd_core.families.class_unet.networks import Networks
from sfd_core.families.class_unet.pipeline import ClassConditionalPipeline
from sfd_core.families.class_unet.schedulers import Schedulers
from sfd_core.families.fitting import same_shape
from sfd_core.families.protocol import LoadedBase

SHAPE = ("num_class_embeds", "in_channels", "sample_size")


def open_elsewhere(
    folder: Path,
    base: LoadedBase,
    steps: int | None,
    device: torch.device | str,
    schedulers: Schedulers,
    networks: Networks,
) -> OneStepGenerator | ManyStepSampler:
    """Open a folder that Lethe published, or a class-conditional diffusers U-Net (``unet/``) over the base model's
    schedule, sampled in ``steps`` steps (default: the base model's own). ``schedulers``, ``networks``: the family's.

    Raises:
        ModelRefused: for a folder that is neither, or whose classes or images are not the base model's.
    """
    concepts = base.model.concepts
    if _is_one_step(folder):
        generator = OneStepGenerator.load(folder, str(device), schedulers, networks)
        if generator.concepts != concepts:
            raise ModelRefused(f"{folder}: makes {', '.join(generator.concepts)}; the base model {', '.join(concepts)}")
        same_shape(folder, generator.network, base, SHAPE)
        if generator.pipe.config.patch != base.model.image.patch:
            theirs, ours = generator.pipe.config.patch, base.model.image.patch
            raise ModelRefused(f"{folder}: patch is {theirs}, the base model's {ours}")
        if steps not in (None, 1):
            raise ModelRefused(f"{folder}: a one-step generator; it cannot be sampled in {steps} steps")
        return generator
    if not (folder / "unet" / "config.json").is_file():
        raise ModelRefused(f"{folder}: neither a one-step generator's model_index.json nor unet/config.json")
    schedulers.same(folder, base)
    unet = load_class_unet(folder, len(concepts), networks)
    same_shape(folder, unet, base, SHAPE)
    return base_sampler(dataclasses.replace(base, network=unet), device, steps, schedulers)


def base_sampler(
    base: LoadedBase, device: torch.device | str, steps: int | None, schedulers: Schedulers
) -> ManyStepSampler:
    """Return the untouched base model at ``steps`` steps an image (default: its own)."""
    return ManyStepSampler(base, steps or int(base.model.figures["network_evaluations"]), device, schedulers)


def _is_one_step(folder: Path) -> bool:
    """Whether the folder says that it is one of ours; other pipelines have a ``model_index.json`` too."""
    index = folder / "model_index.json"
    return index.is_file() and read_config(index).get("_class_name") == ClassConditionalPipeline.__name__
