"""What the configuration of a pipeline's autoencoder says, and so what pictures the pipeline makes: values that nothing
could be made of are refused before weights are fetched or read. Plain: importing this does not import torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sfd_core.base_model.config_checks import MAX_NUMBER, Checked, is_number, is_whole
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest_parts import MAX_SIDE, ImageFormat
from sfd_core.errors import ModelRefused

MAX_BLOCKS = 8


def check_blocks(checked: Checked, name: str) -> None:
    """Check the field ``name``, which lists how many channels each block of an autoencoder has."""
    checked.value(
        name,
        lambda v: (
            isinstance(v, list) and 1 <= len(v) <= MAX_BLOCKS and all(is_whole(c) and 1 <= c <= MAX_NUMBER for c in v)
        ),
        f"be 1 to {MAX_BLOCKS} whole numbers from 1 to {MAX_NUMBER}",
    )


def check_autoencoder(folder: Path, shifted: bool = False) -> None:
    """Check ``vae/config.json``: an autoencoder of RGB pictures whose latents are divided by ``scaling_factor`` to be
    decoded, and by nothing else changed, but for a ``shift_factor`` that is added where the pipeline has them
    ``shifted``.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / "vae" / "config.json"
    checked = Checked(read_config(path))
    check_blocks(checked, "block_out_channels")
    checked.positive("scaling_factor", 0.18215)  # what AutoencoderKL has where its folder says nothing
    if shifted:
        checked.value("shift_factor", lambda v: v is None or (is_number(v) and math.isfinite(v)), "be a number", None)
    for name in ("latents_mean", "latents_std") if shifted else ("shift_factor", "latents_mean", "latents_std"):
        checked.unset(name, f"the pipeline only scales {'and shifts ' if shifted else ''}its latents")
    for name in ("in_channels", "out_channels"):
        checked.value(name, lambda v: v == 3, "be 3: pictures are RGB", 3)
    checked.sizes()
    checked.refuse(path)


@dataclass(frozen=True)
class AutoencoderKind:
    """A kind of autoencoder. ``check``: refuses its configuration. ``blocks``: the field that lists its blocks, between
    any two of which it halves the pixels along an edge. ``channels``: of its latents, where its folder says nothing."""

    check: Callable[[Path], None]
    blocks: str
    channels: int


SCALED = AutoencoderKind(check_autoencoder, "block_out_channels", 4)
"""``AutoencoderKL``, whose latents are only scaled."""
SHIFTED = AutoencoderKind(partial(check_autoencoder, shifted=True), "block_out_channels", 4)
"""``AutoencoderKL``, whose latents are scaled and shifted."""


def latent_channels(folder: Path, kind: AutoencoderKind = SCALED) -> int:
    """Return how many channels the latents of a checked autoencoder have."""
    return int(read_config(folder / "vae" / "config.json").get("latent_channels", kind.channels))


def picture_of(folder: Path, latents: int, kind: AutoencoderKind = SCALED) -> ImageFormat:
    """Return what the pipeline of ``folder`` makes of ``latents`` x ``latents`` of them, by its ``kind`` of
    autoencoder.

    Raises:
        ModelRefused: for a configuration that does not say it, or pictures that are too large.
    """
    kind.check(folder)
    blocks = read_config(folder / "vae" / "config.json")[kind.blocks]
    side = latents * 2 ** (len(blocks) - 1)
    if side > MAX_SIDE:
        raise ModelRefused(f"{folder}: the pipeline makes pictures of {side} x {side}, at most {MAX_SIDE} are made")
    return ImageFormat(3, side, side)


def check_picture(folder: Path, said: ImageFormat, made: ImageFormat) -> None:
    """Refuse a manifest whose image is not what the pipeline makes.

    Raises:
        ModelRefused: with both.
    """
    if said.patch != made.patch:
        raise ModelRefused(f"{folder}: the manifest's image.patch is {said.patch}, must be 1: the network sees latents")
    if said != made:
        raise ModelRefused(
            f"{folder}: the manifest's image is {said.channels} x {said.height} x {said.width}, "
            f"the pipeline makes {made.channels} x {made.height} x {made.width}"
        )
