"""A base model, in: every file verified against the manifest, the parts held against one another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel, UNet2DModel

from sfd_core.base_model.manifest import BaseModel, verify_files
from sfd_core.base_model.safe_files import load_unet, read_config
from sfd_core.errors import ModelRefused
from sfd_core.families.parameterization import Schedule, UnsupportedSchedule, schedule_from_config
from sfd_core.families.stable_diffusion.loading import load_text_parts
from sfd_core.families.stable_diffusion.text_parts import TextParts


@dataclass(frozen=True)
class LoadedBase:
    """A base model in memory: its manifest, the teacher's network in float32, its schedule, and what a text-to-image
    model has beside them. The networks are on one device."""

    model: BaseModel
    unet: UNet2DModel | UNet2DConditionModel
    schedule: Schedule
    text: TextParts | None = None

    def parts(self) -> TextParts:
        """The text side of a text-to-image model. Raises ``ValueError`` for a class-conditional one."""
        if self.text is None:
            raise ValueError(f"{self.model.name} is no text-to-image model")
        return self.text


def load_base(model: BaseModel, device: torch.device | str = "cpu") -> LoadedBase:
    """Verify every file of ``model`` against its manifest and load its networks, onto ``device``.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    verify_files(model)
    if model.family == "stable_diffusion":
        return _load_text_base(model, device)
    unet = load_unet(model.folder / "unet")
    cells = model.image.channels * model.image.patch**2
    if unet.config.in_channels != cells or unet.config.out_channels != cells:
        raise ModelRefused(
            f"{model.folder / 'unet'}: {unet.config.in_channels} channels in and {unet.config.out_channels} out, "
            f"the manifest's image and patch make {cells}"
        )
    if unet.config.num_class_embeds != len(model.concepts):
        raise ModelRefused(
            f"{model.folder / 'unet'}: {unet.config.num_class_embeds} class embeddings, "
            f"the manifest names {len(model.concepts)} concepts"
        )
    return LoadedBase(model, unet.to(device), _load_schedule(model.folder))


def _load_text_base(model: BaseModel, device: torch.device | str) -> LoadedBase:
    text = load_text_parts(model.folder)
    unet = load_unet(model.folder / "unet", UNet2DConditionModel)
    channels, width = text.vae.config.latent_channels, text.text_encoder.config.hidden_size
    for name, wanted in (("in_channels", channels), ("out_channels", channels), ("cross_attention_dim", width)):
        if unet.config[name] != wanted:
            raise ModelRefused(f"{model.folder / 'unet'}: {name} is {unet.config[name]}, the other parts make {wanted}")
    side = unet.config.sample_size * 2 ** (len(text.vae.config.block_out_channels) - 1)
    if (model.image.channels, model.image.height, model.image.width) != (3, side, side):
        raise ModelRefused(
            f"{model.folder}: the manifest's image is {model.image.channels} x {model.image.height} x "
            f"{model.image.width}, the pipeline makes 3 x {side} x {side}"
        )
    return LoadedBase(model, unet.to(device), _load_schedule(model.folder), text.to(device))


def _load_schedule(folder: Path) -> Schedule:
    path = folder / "scheduler" / "scheduler_config.json"
    try:
        return schedule_from_config(read_config(path))
    except (UnsupportedSchedule, KeyError, TypeError) as error:
        raise ModelRefused(f"{path}: {error}") from None
