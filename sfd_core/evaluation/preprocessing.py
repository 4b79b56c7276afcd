"""How an image is handed to a judge: what its ``preprocessor_config.json`` says, as ``transformers``' image processors
mean it, on tensors and with gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sfd_core.base_model.config_checks import Checked, is_number, is_whole
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest_parts import MAX_SIDE, ImageFormat

PREPROCESSOR = "preprocessor_config.json"
_HALF = (0.5,)
Size = tuple[int, int]


@dataclass(frozen=True)
class Preprocessing:
    """The way of an image to a judge: resized to ``size``, its middle of ``crop`` cut out, its channel repeated to
    ``channels``, then ``scale * x + shift`` by channel, for x in [-1, 1]. None: as it is."""

    size: Size
    crop: Size | None = None
    channels: int | None = None
    scale: tuple[float, ...] = (1.0,)
    shift: tuple[float, ...] = (0.0,)

    def __call__(self, x: Tensor) -> Tensor:
        """Prepare images [B, C, H, W] in [-1, 1]."""
        if x.shape[-2:] != self.size:
            # Without it an image that shrinks loses whole lines; one that grows has nothing to lose.
            shrinks = self.size[0] < x.shape[-2] or self.size[1] < x.shape[-1]
            x = F.interpolate(x, size=self.size, mode="bilinear", antialias=shrinks)
        if self.crop is not None:
            top, left = ((whole - part) // 2 for whole, part in zip(self.size, self.crop, strict=True))
            x = x[..., top : top + self.crop[0], left : left + self.crop[1]]
        if self.channels is not None and x.shape[1] != self.channels:
            x = x.expand(-1, self.channels, -1, -1)
        if set(self.scale) == {1.0} and set(self.shift) == {0.0}:
            return x
        scale, shift = (torch.tensor(values, device=x.device).view(1, -1, 1, 1) for values in (self.scale, self.shift))
        return x * scale + shift


def read_preprocessing(folder: Path, image: ImageFormat, channels: int) -> Preprocessing:
    """Read the preprocessing of the judge in ``folder``, whose network takes ``channels``, for images of this format;
    where it says nothing, an image is handed over as it is.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / PREPROCESSOR
    config = read_config(path) if path.exists() else {}
    checked = Checked(config)
    if image.channels not in (1, channels):
        checked.faults.append(
            f"the judge sees {channels} channels, images have {image.channels}: only grey ones are made coloured"
        )
    size = _size(checked, image)
    crops = checked.flag("do_center_crop", False) and config.get("crop_size") is not None
    crop = _sides(checked, "crop_size", size) if crops else None
    scale, shift = _normalisation(checked, channels) if config else ((1.0,), (0.0,))
    if not checked.faults and crop is not None and (crop[0] > size[0] or crop[1] > size[1]):
        checked.faults.append(f"crop_size is {list(crop)}, must fit into {list(size)}, to which an image is resized")
    checked.refuse(path if config else folder / "config.json")
    return Preprocessing(size, crop, channels, scale, shift)


def _size(checked: Checked, image: ImageFormat) -> Size:
    """The size that an image is resized to: its own where none is said."""
    own = (image.height, image.width)
    if not checked.flag("do_resize", True) or checked.config.get("size") is None:
        return own
    return _sides(checked, "size", own)


def _sides(checked: Checked, name: str, image: Size) -> Size:
    """Height and width, of one of the forms in which processors write them; the image's own where they are wrong."""
    said: Any = checked.value(name, _is_size, "be 1 to 4096, or an object of height and width or of shortest_edge")
    if not _is_size(said):
        return image
    if is_whole(said):
        return said, said
    if "height" in said:
        return said["height"], said["width"]
    if name != "size":
        return said["shortest_edge"], said["shortest_edge"]
    shorter = min(image)
    return image[0] * said["shortest_edge"] // shorter, image[1] * said["shortest_edge"] // shorter


def _is_size(value: object) -> bool:
    sides: Sequence[object] = (value,)
    if isinstance(value, Mapping):
        known = [name for name in (("height", "width"), ("shortest_edge",)) if set(name) <= set(value)]
        sides = [value[name] for name in known[0]] if known else ()
    return bool(sides) and all(is_whole(side) and 1 <= side <= MAX_SIDE for side in sides)  # type: ignore[operator]


def _normalisation(checked: Checked, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Scale and shift by channel: pixels of 0 to 255 are multiplied by ``rescale_factor``, then the mean is taken off
    and the rest divided by the deviation."""
    factor = checked.positive("rescale_factor", 1 / 255) if checked.flag("do_rescale", True) else 1.0
    means: Sequence[float] = (0.0,)
    deviations: Sequence[float] = (1.0,)
    if checked.flag("do_normalize", True):
        must = f"be {channels} numbers, one a channel"
        means = checked.value("image_mean", lambda v: _is_by_channel(v, channels, -math.inf), must, _HALF)
        deviations = checked.value("image_std", lambda v: _is_by_channel(v, channels, 0.0), f"{must}, above 0", _HALF)
    if checked.faults:
        return (1.0,), (0.0,)
    count = max(len(means), len(deviations))
    middle = factor * 255 / 2
    pairs = list(zip([*means] * (count // len(means)), [*deviations] * (count // len(deviations)), strict=True))
    return tuple(middle / std for _, std in pairs), tuple((middle - mean) / std for mean, std in pairs)


def _is_by_channel(value: object, channels: int, low: float) -> bool:
    if value is _HALF:
        return True
    right = isinstance(value, list) and len(value) == channels
    return right and all(is_number(each) and low < each < float("inf") for each in value)  # type: ignore[attr-defined]
