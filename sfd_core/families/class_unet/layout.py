"""What is read of a class-conditional U-Net's folder, and what its configurations must say. Plain: importing this does
not import torch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from sfd_core.base_model.config_checks import Checked, check_all, is_whole, shown
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.layout import SCHEDULER, FolderLayout
from sfd_core.base_model.manifest import MAX_CONCEPTS
from sfd_core.base_model.manifest_parts import MAX_SIDE, ImageFormat
from sfd_core.errors import ModelRefused
from sfd_core.families.scheduler_config import read_scheduler
from sfd_core.families.stock_schedulers import STOCK_SCHEDULERS

CONFIG = "unet/config.json"


class CheckNetwork(Protocol):
    """Checks the configuration in ``unet/`` of a model's folder."""

    def __call__(self, folder: Path, concepts: int | None = None) -> None:
        """``concepts``: how many classes it must have, where that is known. Raises ``ModelRefused``."""
        ...


K = TypeVar("K")


def kind_of(folder: Path, kinds: Mapping[str, K]) -> K:
    """Return what ``kinds`` has for the class of the network in ``folder``.

    Raises:
        ModelRefused: for a class that it does not have.
    """
    path = folder / "config.json"
    named = read_config(path).get("_class_name")
    if not isinstance(named, str) or named not in kinds:
        raise ModelRefused(f"{path}: _class_name is {shown(named)}, must be {' or '.join(map(repr, kinds))}")
    return kinds[named]


def check_folder(read_scheduler: Callable[[Path], object], networks: Mapping[str, CheckNetwork], folder: Path) -> None:
    """Check every configuration of a folder. ``read_scheduler``: refuses one whose scheduler is not the family's;
    ``networks``: checks each class of network that the family has.

    Raises:
        ModelRefused: naming each file and every field of it that is wrong.
    """
    check_all(lambda: kind_of(folder / "unet", networks)(folder), lambda: read_scheduler(folder))


def check_unet(folder: Path, concepts: int | None = None) -> None:
    """Check ``unet/config.json`` of a ``UNet2DModel``. ``concepts``: how many classes it must have, where that is
    known.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / CONFIG
    checked = Checked(read_config(path))
    checked.value("sample_size", _is_size, f"be 1 to {MAX_SIDE}, or two of them")
    checked.unset("class_embed_type", "a class is looked up by its label")
    if concepts is None:
        checked.whole("num_class_embeds", 2, MAX_CONCEPTS)
    else:
        checked.value("num_class_embeds", lambda v: is_whole(v) and v == concepts, f"be {concepts}, one a concept")
    channels = checked.whole("in_channels", 1, MAX_SIDE, 3)
    must = f"be {channels}, as in_channels: learned variances are not read"
    checked.value("out_channels", lambda v: v == channels, must, 3)
    checked.refuse(path)


def _is_size(value: object) -> bool:
    edges: list[object] = value if isinstance(value, list) and len(value) == 2 else [value]
    return all(is_whole(edge) and 1 <= edge <= MAX_SIDE for edge in edges)  # type: ignore[operator]


def image_of(folder: Path) -> ImageFormat:
    """Return what the network of ``folder`` sees, a cell a pixel."""
    config = read_config(folder / CONFIG)
    size = config["sample_size"]
    height, width = size if isinstance(size, list) else (size, size)
    return ImageFormat(config.get("in_channels", 3), height, width)


def classes_of(folder: Path) -> int:
    """Return how many classes the network of ``folder`` knows."""
    return int(read_config(folder / CONFIG)["num_class_embeds"])


def class_layout(
    read_scheduler: Callable[[Path], object], schedulers: Collection[str], networks: Mapping[str, CheckNetwork]
) -> FolderLayout:
    """Return what is read of a folder of one of the families of U-Nets. ``read_scheduler``: refuses a folder whose
    scheduler is not the family's; ``schedulers``: classes of those that are; ``networks``: classes of networks that it
    has, each with what checks its configuration."""
    return FolderLayout(
        configs=(CONFIG, SCHEDULER),
        weights=("unet/diffusion_pytorch_model.safetensors",),
        check=partial(check_folder, read_scheduler, networks),
        image=image_of,
        classes=classes_of,
        networks=tuple(networks),
        schedulers=schedulers,
    )


NETWORKS: Mapping[str, CheckNetwork] = {"UNet2DModel": check_unet}
LAYOUT = class_layout(read_scheduler, tuple(STOCK_SCHEDULERS), NETWORKS)
