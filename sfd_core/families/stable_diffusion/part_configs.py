"""What the configurations of a pipeline's parts say, as far as the family reads them: values that it has no use for, or
that nothing could be made of, are refused before weights are fetched or read. Plain: importing this does not import
torch."""

from __future__ import annotations

from pathlib import Path

from sfd_core.base_model.config_checks import MAX_NUMBER, Checked, is_whole
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest_parts import MAX_SIDE, ImageFormat
from sfd_core.errors import ModelRefused
from sfd_core.families.scheduler_config import read_scheduler
from sfd_core.families.stable_diffusion.index import check_index

MAX_BLOCKS = 8
_PROMPTS_ALONE = "the U-Net is asked by prompts and times alone"


def check_pipeline(folder: Path) -> None:
    """Check every configuration of a pipeline's folder.

    Raises:
        ModelRefused: naming the file and every field of it that is wrong.
    """
    check_index(folder)
    read_scheduler(folder)
    check_unet(folder)
    check_text_encoder(folder)
    check_vae(folder)


def check_unet(folder: Path) -> None:
    """Check ``unet/config.json``: a U-Net over square latents, asked by nothing but prompts.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / "unet" / "config.json"
    checked = Checked(read_config(path))
    checked.whole("sample_size", 1, MAX_SIDE)
    checked.whole("cross_attention_dim", 1, MAX_NUMBER)
    for name in (
        "class_embed_type",
        "num_class_embeds",
        "addition_embed_type",
        "encoder_hid_dim",
        "encoder_hid_dim_type",
        "time_cond_proj_dim",
    ):
        checked.unset(name, _PROMPTS_ALONE)
    checked.sizes()
    checked.refuse(path)


def check_text_encoder(folder: Path) -> None:
    """Check ``text_encoder/config.json``.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    path = folder / "text_encoder" / "config.json"
    checked = Checked(read_config(path))
    checked.whole("max_position_embeddings", 3, 4096, 77)
    checked.sizes()
    checked.refuse(path)


def check_vae(folder: Path) -> None:
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
        checked.unset(name, "StableDiffusionPipeline only scales its latents")
    for name in ("in_channels", "out_channels"):
        checked.value(name, lambda v: v == 3, "be 3: pictures are RGB", 3)
    checked.sizes()
    checked.refuse(path)


def image_of(folder: Path) -> ImageFormat:
    """Return what the pipeline of ``folder`` makes: its autoencoder halves the pixels along an edge between any two
    blocks.

    Raises:
        ModelRefused: for configurations that do not say it, or pictures that are too large.
    """
    check_unet(folder)
    check_vae(folder)
    latents = read_config(folder / "unet" / "config.json")["sample_size"]
    blocks = read_config(folder / "vae" / "config.json")["block_out_channels"]
    side = latents * 2 ** (len(blocks) - 1)
    if side > MAX_SIDE:
        raise ModelRefused(f"{folder}: the pipeline makes pictures of {side} x {side}, at most {MAX_SIDE} are made")
    return ImageFormat(3, side, side)
