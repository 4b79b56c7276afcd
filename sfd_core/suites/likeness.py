"""Figures that a benchmark takes of images as a whole: how far they are from real ones, and from their prompts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sfd_core.suites.classifiers import mean
from sfd_core.suites.suite import Entry, Figure, Given, Shown

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from sfd_core.evaluation.features import FeatureExtractor

CLIP = Entry("clip", "a transformers CLIP folder, for CLIP scores", optional=True)
INCEPTION = Entry("inception.pth", "the standard FID Inception-v3, for FID; without it FD-EffLite0-320", optional=True)
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
PIECE = 50


def pictures_in(folder: Path) -> list[Path]:
    """List the pictures in a folder, by their names."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES) if folder.is_dir() else []


def clip_scores(
    axis: str, of: str, given: Given, shown: Shown, chosen: NDArray[np.bool_]
) -> tuple[Figure, dict[str, str]]:
    """Return the mean CLIP score of the ``chosen`` images, [n], with their prompts, and CLIP's digest."""
    import numpy as np

    from sfd_core.evaluation.clip import ClipModel

    if not (folder := given.weights / CLIP.path).is_dir():
        return Figure(axis, of, "number", None, f"{folder} is not there"), {}
    if not chosen.any():
        return Figure(axis, of, "number", None, "no image was asked for"), {}
    clip, scores, at = ClipModel(folder, given.device), [], 0
    for images in shown.pieces():
        here = np.flatnonzero(chosen[at : at + len(images)])
        scores.append(clip.scores(images[here], [shown.asks[at + int(i)].prompt for i in here]))
        at += len(images)
    return mean(axis, of, np.concatenate(scores)), {"clip": clip.digest}


def distance(
    of: str, given: Given, shown: Shown, chosen: NDArray[np.bool_], real: Sequence[Path]
) -> tuple[Figure, dict[str, str]]:
    """Return the Frechet distance of the ``chosen`` images, [n], to ``real`` pictures, named after its features, and
    their network's digest."""
    import numpy as np

    from sfd_core.evaluation.features import EffLite0, Inception, fd_name
    from sfd_core.evaluation.metrics import frechet_interval, images_needed

    weights = given.weights / INCEPTION.path
    extractor: FeatureExtractor = Inception(weights, given.device) if weights.exists() else EffLite0(given.device)
    axis, count = fd_name(extractor.name, extractor.digest), int(chosen.sum())
    width = 2048 if weights.exists() else 320
    needed = images_needed(width)
    if count < needed or len(real) < needed:
        note = f"{count} images and {len(real)} real ones; {needed} of each are needed"
        return Figure(axis, of, "number", None, note), {}
    made, at, side = [], 0, 0
    for images in shown.pieces():
        made.append(extractor.extract(images[chosen[at : at + len(images)]]))
        at, side = at + len(images), images.shape[1]
    read = [
        extractor.extract(np.stack([_squared(path, side) for path in real[i : i + PIECE]]))
        for i in range(0, len(real), PIECE)
    ]
    measured = frechet_interval(np.concatenate(read), np.concatenate(made))
    return Figure(axis, of, "number", measured, f"to {len(real)} real pictures"), {"features": extractor.digest}


def _squared(path: Path, side: int) -> NDArray[np.uint8]:
    """The middle square of a picture, at ``side`` pixels along an edge."""
    import numpy as np
    from PIL import Image, ImageOps

    from sfd_core.errors import ModelRefused

    try:
        with Image.open(path) as picture:
            return np.asarray(ImageOps.fit(picture.convert("RGB"), (side, side), Image.Resampling.BICUBIC))
    except (OSError, Image.DecompressionBombError) as error:
        raise ModelRefused(f"{path}: no picture can be read: {error}") from None
