"""The folder of a ``StableDiffusionPipeline``. Plain: importing this does not import torch."""

from __future__ import annotations

from pathlib import Path

from sfd_core.families.autoencoder_config import latent_channels
from sfd_core.families.text.layout import PipelineLayout
from sfd_core.families.text.part_configs import (
    check_clip,
    check_fit,
    checked_unet,
    clip_number,
)
from sfd_core.families.text.tokens import CLIP


def check_unet(folder: Path) -> None:
    """Check ``unet/config.json``: a U-Net over square latents, asked by nothing but prompts.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    checked = checked_unet(folder)
    checked.unset("addition_embed_type", "the U-Net is asked by prompts and times alone")
    checked.refuse(folder / "unet" / "config.json")


def check_together(folder: Path) -> None:
    """Refuse checked parts that do not fit each other.

    Raises:
        ModelRefused: naming every field of the U-Net that is not what the other parts make.
    """
    channels, width = latent_channels(folder), clip_number(folder, "hidden_size")
    needed = {"in_channels": (channels, 4), "out_channels": (channels, 4), "cross_attention_dim": (width, 1280)}
    check_fit(folder, "unet", needed)


LAYOUT = PipelineLayout(
    pipeline="StableDiffusionPipeline",
    network="unet",
    parts={
        "unet": ("diffusers", "UNet2DConditionModel"),
        "vae": ("diffusers", "AutoencoderKL"),
        "text_encoder": ("transformers", "CLIPTextModel"),
    },
    tokenizers={"tokenizer": CLIP},
    checks=(check_unet, check_clip),
    together=check_together,
)
