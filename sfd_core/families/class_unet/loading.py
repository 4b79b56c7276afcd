"""A class-conditional model's folder, in: the U-Net and its schedule, held against the manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import ModelRefused
from sfd_core.families.class_unet.layout import kind_of
from sfd_core.families.class_unet.networks import Networks
from sfd_core.families.class_unet.schedulers import Schedulers
from sfd_core.families.images import noise_shape
from sfd_core.families.protocol import LoadedBase


def load(model: BaseModel, device: torch.device | str, schedulers: Schedulers, networks: Networks) -> LoadedBase:
    """Load the networks of ``model`` onto ``device``. ``schedulers``, ``networks``: its family's.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    schedule = schedulers.load(model.folder)
    unet = load_class_unet(model.folder, len(model.concepts), networks)
    cells = model.image.channels * model.image.patch**2
    if unet.config.in_channels != cells or unet.config.out_channels != cells:
        raise ModelRefused(
            f"{model.folder / 'unet'}: {unet.config.in_channels} channels in and {unet.config.out_channels} out, "
            f"the manifest's image and patch make {cells}"
        )
    edges = (model.image.height // model.image.patch, model.image.width // model.image.patch)
    if noise_shape(unet)[1:] != edges:
        raise ModelRefused(
            f"{model.folder / 'unet'}: sample_size is {unet.config.sample_size}, "
            f"the manifest's image and patch make {edges[0]} x {edges[1]}"
        )
    return LoadedBase(model, unet.to(device), schedule)


def load_class_unet(folder: Path, concepts: int, networks: Networks) -> Any:
    """Load the ``unet/`` of a folder, which must be of one of these ``networks`` and know this many ``concepts``, on
    the CPU.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    kind = kind_of(folder / "unet", networks)
    kind.check(folder, concepts)
    return kind.load(folder / "unet")
