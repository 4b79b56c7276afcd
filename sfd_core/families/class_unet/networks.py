"""The kinds of network that families of class-conditional U-Nets have, by the class that a ``config.json`` names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from sfd_core.base_model.safe_files import load_unet
from sfd_core.families.class_unet.attacked import AttackedClassUnet
from sfd_core.families.class_unet.layout import CheckNetwork, check_unet


@dataclass(frozen=True)
class NetworkKind:
    """A class of networks that are asked, configured and saved as a ``UNet2DModel`` is: ``sample_size``,
    ``in_channels``, ``out_channels`` and ``num_class_embeds`` mean the same.

    ``check``: refuses a model's folder whose network's configuration is wrong. ``load``: loads one in float32 on the
    CPU from the network's own folder, or raises ``ModelRefused``. ``attacked``: one as the probes attack it.
    """

    check: CheckNetwork
    load: Callable[[Path], Any]
    attacked: type[AttackedClassUnet]


Networks: TypeAlias = Mapping[str, NetworkKind]
STOCK: Networks = {"UNet2DModel": NetworkKind(check_unet, load_unet, AttackedClassUnet)}
"""Of diffusers."""
