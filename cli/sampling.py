"""Samples onto the disk: from a folder here or from the service, on one sheet or a PNG each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray

    from client import Lethe

SHEET = ".png"
"""The suffix of a file for all images; any other path is a folder for a file each."""


@dataclass(frozen=True)
class What:
    """The images that are asked for: a concept, or a text-to-image generator's prompt."""

    concept: str | None = None
    prompt: str | None = None

    def __str__(self) -> str:
        return repr(self.prompt) if self.concept is None else self.concept


def sample_folder(folder: Path, what: What, n: int, seed: int, out: Path, mark_images: bool) -> None:
    """Sample the generator in ``folder`` as the service samples its own. ``mark_images``: images say that a model has
    made them, and which by its record, where that lies beside it.

    Raises:
        ModelRefused: for a folder that is no generator.
        typer.BadParameter: for a concept that it does not know, or what a generator of its family is not asked by.
    """
    from jobs.record import RECORD
    from sfd_core.base_model.manifest import file_sha256
    from sfd_core.display import marking, pictures
    from sfd_core.families.loading import load_generator
    from sfd_core.families.sampling import ClassSampler, PromptSampler, UnknownConcept

    generator = load_generator(folder)
    if isinstance(generator, PromptSampler):
        if what.prompt is None:
            raise typer.BadParameter("a text-to-image generator is asked by a prompt", param_hint="--concept")
        images: NDArray[uint8] = generator.sample(what.prompt, n, seed)
    elif what.concept is None:
        raise typer.BadParameter("this generator has no prompts: name a concept", param_hint="--prompt")
    else:
        assert isinstance(generator, ClassSampler)  # the only other kind
        try:
            images = generator.sample(what.concept, n, seed)
        except UnknownConcept as error:
            raise typer.BadParameter(str(error), param_hint="--concept") from None
    sheet = out.suffix == SHEET
    pngs = [pictures.sheet(images)] if sheet else [pictures.png(image) for image in images]
    if mark_images:
        record = folder / RECORD
        origin = {marking.RECORD: file_sha256(record)} if record.is_file() else {}
        pngs = [marking.marked(png, origin) for png in pngs]
    if sheet:
        _write_sheet(out, pngs[0])
    else:
        _write_each(out, pngs)


def sample_service(lethe: Lethe, generator_id: str, what: What, n: int, seed: int, out: Path) -> None:
    """Have the service sample a generator that it has published."""
    if out.suffix == SHEET:
        _write_sheet(out, lethe.sample_grid(generator_id, what.concept, n, seed, prompt=what.prompt))
    else:
        _write_each(out, lethe.sample(generator_id, what.concept, n, seed, prompt=what.prompt))


def _write_sheet(out: Path, sheet: bytes) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(sheet)


def _write_each(out: Path, images: Sequence[bytes]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        (out / f"{i:04}.png").write_bytes(image)
