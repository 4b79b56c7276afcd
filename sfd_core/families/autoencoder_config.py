"""What the configuration of a pipeline's autoencoder says, and so what pictures the pipeline makes: values that nothing
could be made of are refused before weights are fetched or read. Plain: importing this does not import torch."""

from __future__ import annotations

from pathlib import Path

from sfd_core.base_model.config_checks import MAX_NUMBER, Checked, is_whole
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest_parts import MAX_SIDE, ImageFormat
from sfd_core.errors import ModelRefused

MAX_BLOCKS = 8


def check_autoencoder(folder: Path) -> None:
    """Check ``vae/config.json``: an autoencoder of RGB pictures whose latents are divided by ``scaling_factor`` to be
    decoded, and by nothing else changed.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / "vae" / "config.json"
    checked = Checked(read_config(path))
    checked.value(
        "block_out_channels",
        lambda v: (
            isinstance(v, list) and 1 <= len(v) <= MAX_BLOCKS and all(is_whole(c) and 1 <= c <= MAX_NUMBER for c in v)
        ),
        f"be 1 to {MAX_BLOCKS} whole numbers from 1 to {MAX_NUMBER}",
    )
    checked.positive("scaling_factor", 0.18215)  # what AutoencoderKL has where its folder says nothing
    for name in ("shift_factor", "latents_mean", "latents_std"):
        checked.unset(name, "the pipeline only scales its latents")
    for name in ("in_channels", "out_channels"):
        checked.value(name, lambda v: v == 3, "be 3: pictures are RGB", 3)
    checked.sizes()
    checked.refuse(path)


def picture_of(folder: Path, latents: int) -> ImageFormat:
    """Return what the pipeline of ``folder`` makes of ``latents`` x ``latents`` of them: its autoencoder halves the
    pixels along an edge between any two blocks.

    Raises:
        ModelRefused: for a configuration that does not say it, or pictures that are too large.
    """
    check_autoencoder(folder)
    blocks = read_config(folder / "vae" / "config.json")["block_out_channels"]
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
