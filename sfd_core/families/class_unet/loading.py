"""A class-conditional model's folder, in: the U-Net and its schedule, held against the manifest."""

from __future__ import annotations

import torch
from diffusers import UNet2DModel

from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.safe_files import load_unet
from sfd_core.errors import ModelRefused
from sfd_core.families.parameterization import load_schedule
from sfd_core.families.protocol import LoadedBase


def load(model: BaseModel, device: torch.device | str) -> LoadedBase:
    """Load the networks of ``model`` onto ``device``.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    unet: UNet2DModel = load_unet(model.folder / "unet")
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
    return LoadedBase(model, unet.to(device), load_schedule(model.folder))
