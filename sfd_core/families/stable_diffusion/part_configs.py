"""What the configurations of a pipeline's parts say, as far as the family reads them: values that it has no use for, or
that nothing could be made of, are refused before weights are fetched or read. Plain: importing this does not import
torch."""

from __future__ import annotations

from pathlib import Path

from sfd_core.base_model.config_checks import MAX_NUMBER, Checked
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest_parts import MAX_SIDE, ImageFormat
from sfd_core.families.autoencoder_config import check_autoencoder, picture_of
from sfd_core.families.scheduler_config import read_scheduler
from sfd_core.families.stable_diffusion.index import check_index

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
    check_autoencoder(folder)


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


def image_of(folder: Path) -> ImageFormat:
    """Return what the pipeline of ``folder`` makes.

    Raises:
        ModelRefused: for configurations that do not say it, or pictures that are too large.
    """
    check_unet(folder)
    return picture_of(folder, read_config(folder / "unet" / "config.json")["sample_size"])
