"""External generators of a diffusion transformer's concepts, and the untouched base model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from sfd_core.base_model.configs import read_config
from sfd_core.base_model.layout import INDEX
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import ModelRefused
from sfd_core.families.dit.base_sampler import GuidedDdimSampler
from sfd_core.families.dit.generator import DitGenerator
from sfd_core.families.dit.layout import check_pipeline
from sfd_core.families.dit.loading import LoadedDit, load_parts
from sfd_core.families.dit.pipeline import ClassConditionalDiTPipeline
from sfd_core.families.fitting import same_schedule, same_shape

STEPS, GUIDANCE = 50, 4.0
"""How a model is sampled whose manifest does not say: as diffusers' ``DiTPipeline`` does."""
SHAPE = ("num_embeds_ada_norm", "in_channels", "sample_size")


def open_elsewhere(
    folder: Path, base: LoadedDit, steps: int | None, device: torch.device | str
) -> DitGenerator | GuidedDdimSampler:
    """Open a folder that Lethe published, or a ``DiTPipeline`` over the base model's schedule, sampled by DDIM in
    ``steps`` steps (default: the base model's own).

    Raises:
        ModelRefused: for a folder that is neither, or whose classes, latents or schedule are not the base model's.
    """
    concepts = base.model.concepts
    if read_config(folder / INDEX).get("_class_name") == ClassConditionalDiTPipeline.__name__:
        generator = DitGenerator.load(folder, str(device))
        if generator.concepts != concepts:
            raise ModelRefused(f"{folder}: makes {', '.join(generator.concepts)}; the base model {', '.join(concepts)}")
        same_shape(folder, generator.network, base, SHAPE)
        if steps not in (None, 1):
            raise ModelRefused(f"{folder}: a one-step generator; it cannot be sampled in {steps} steps")
        return generator
    check_pipeline(folder, concepts)
    same_schedule(folder, base)
    network, autoencoder = load_parts(folder, len(concepts))
    same_shape(folder, network, base, SHAPE)
    return base_sampler(dataclasses.replace(base, network=network, autoencoder=autoencoder), device, steps)


def base_sampler(base: LoadedDit, device: torch.device | str, steps: int | None = None) -> GuidedDdimSampler:
    """Return the untouched base model at ``steps`` steps an image (default: its own)."""
    steps = steps or int(base.model.figures.get("network_evaluations", STEPS))
    return GuidedDdimSampler(base, steps, guidance_of(base.model), device)


def guidance_of(model: BaseModel) -> float:
    """Return the strength of guidance at which the base model is sampled."""
    return float(model.figures.get("guidance", GUIDANCE))
