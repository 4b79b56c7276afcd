"""The images of a benchmark, kept below its output as they are drawn: a run that is killed goes on with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfd_core.display.pictures import png
from sfd_core.errors import ModelRefused
from sfd_core.families.sampling import SAMPLE_BATCH
from sfd_core.suites.opening import Opened
from sfd_core.suites.suite import Ask
from sfd_core.text_files import read_json

ASKED, FOLDER = "asked.json", "images"
PIECE = 250
"""Images that are in memory at a time when they are looked at."""


def digest_of_asks(asks: Sequence[Ask]) -> str:
    """Make one digest of what is asked: prompts, seeds and strengths of guidance, in their order."""
    said = json.dumps([[ask.prompt, ask.seed, ask.guidance, dict(ask.groups)] for ask in asks])
    return "sha256:" + hashlib.sha256(said.encode()).hexdigest()


@dataclass(frozen=True)
class KeptImages:
    """The images of ``asks`` below ``out``, a PNG each, in order."""

    out: Path
    asks: Sequence[Ask]

    def claim(self, key: dict[str, object]) -> None:
        """Take the folder for the run that ``key`` stands for, or go on with it.

        Raises:
            ModelRefused: where images of another run are kept there.
        """
        path = self.out / ASKED
        (self.out / FOLDER).mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _write(path, (json.dumps(key, indent=2) + "\n").encode())
        try:
            theirs = read_json(path)
        except (OSError, ValueError, RecursionError) as error:
            raise ModelRefused(f"{path}: cannot be read: {error}; name another folder with --out") from None
        if theirs != key:
            other = [name for name in key if not isinstance(theirs, dict) or theirs.get(name) != key[name]]
            raise ModelRefused(
                f"{self.out}: keeps images of another run, of another {' and '.join(other)}: name another with --out"
            )

    def drawn_by(self, opened: Opened) -> Iterator[int]:
        """Draw the images that are not there yet, and yield how many there are after each step.

        They are drawn in the same groups whether or not a run was killed: kernels may round differently for others.
        """
        done = 0
        for group in _groups(self.asks, opened.guided):
            if not all(self._path(i).exists() for i in group):
                asks = [self.asks[i] for i in group]
                images = opened.draw(
                    [ask.prompt for ask in asks],
                    [ask.seed for ask in asks],
                    asks[0].guidance if opened.guided else None,
                )
                for i, image in zip(group, images, strict=True):
                    _write(self._path(i), png(image))
            done += len(group)
            yield done

    def pieces(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the images in their order, some at a time: uint8 [n, H, W, 3].

        Raises:
            ModelRefused: for one that is not there, or cannot be read.
        """
        for i in range(0, len(self.asks), PIECE):
            yield np.stack([self._image(j) for j in range(i, min(i + PIECE, len(self.asks)))])

    def _image(self, i: int) -> NDArray[np.uint8]:
        try:
            with Image.open(self._path(i)) as picture:
                return np.asarray(picture.convert("RGB"))
        except OSError as error:
            raise ModelRefused(f"{self._path(i)}: cannot be read: {error}; delete it and run again") from None

    def _path(self, i: int) -> Path:
        return self.out / FOLDER / f"{i:06}.png"


def _groups(asks: Sequence[Ask], guided: bool) -> Iterator[list[int]]:
    """The places of asks that are drawn together: of one strength of guidance, as many as a batch has."""
    by_strength: dict[float | None, list[int]] = {}
    for i, ask in enumerate(asks):
        by_strength.setdefault(ask.guidance if guided else None, []).append(i)
    for places in by_strength.values():
        for i in range(0, len(places), SAMPLE_BATCH):
            yield places[i : i + SAMPLE_BATCH]


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    unfinished = path.with_suffix(".part")
    unfinished.write_bytes(data)
    unfinished.replace(path)
