"""Real images from a folder, one subfolder a concept, as a base model's images are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from sfd_core.adding.faults import Faults
from sfd_core.base_model.manifest_parts import ImageFormat
from sfd_core.errors import ModelRefused
from sfd_core.suggestions import listed

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
MODES = {1: "L", 3: "RGB"}
MAX_PIXELS = 64 << 20
"""Of one image: more is no picture that anybody trained on."""


@dataclass(frozen=True)
class RealImages:
    """Real images with their labels. ``images``: uint8 [n, H, W] or [n, H, W, 3]; ``labels``: [n]."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]


def read_real_images(folder: Path, concepts: Sequence[str], image: ImageFormat, most: int) -> RealImages:
    """Read at most ``most`` images a concept, the first by name, cut and resized to the model's own size.

    Raises:
        ModelRefused: with every subfolder that is missing or of no concept, and every image that cannot be read.
    """
    if not folder.is_dir():
        raise ModelRefused(f"{folder}: no such folder")
    faults = Faults()
    there = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    if missing := [concept for concept in concepts if concept not in there]:
        faults.add(f"it has no subfolder for {listed(missing)}: it takes one a concept, of its name")
    if others := [name for name in there if name not in concepts]:
        faults.add(f"{listed(others)} are no concepts; those are {listed(concepts)}")
    images, labels = [], []
    for label, concept in enumerate(concepts):
        paths = sorted(path for path in (folder / concept).glob("*") if path.suffix.lower() in ENDINGS)[:most]
        if concept in there and not paths:
            faults.add(f"{concept}/ has no images ({', '.join(sorted(ENDINGS))})")
        for path in paths:
            if (pixels := faults.attempt(_pixels, path, image)) is not None:
                images.append(pixels)
                labels.append(label)
    faults.refuse(str(folder))
    return RealImages(np.stack(images), np.array(labels, np.int64))


def _pixels(path: Path, image: ImageFormat) -> NDArray[np.uint8]:
    """One image, its middle cut to the model's proportions."""
    try:
        with Image.open(path) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise ModelRefused(f"{path}: {opened.width} x {opened.height} pixels, at most {MAX_PIXELS} are read")
            picture = opened.convert(MODES[image.channels])
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ModelRefused(f"{path}: no image can be read from it: {error}") from None
    if picture.size != (image.width, image.height):
        picture = ImageOps.fit(picture, (image.width, image.height), Image.Resampling.BICUBIC)
    return np.asarray(picture)
