"""The folder of a ``StableDiffusionXLPipeline``. Plain: importing this does not import torch."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from sfd_core.base_model.config_checks import MAX_NUMBER, Checked
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.layout import INDEX
from sfd_core.families.autoencoder_config import latent_channels
from sfd_core.families.text.layout import PipelineLayout
from sfd_core.families.text.part_configs import (
    check_clip,
    check_fit,
    checked_unet,
    clip_number,
)
from sfd_core.families.text.tokens import CLIP

ENCODERS = ("text_encoder", "text_encoder_2")
IDS = 6
"""Numbers that a picture's size is told by: height and width of the original, top and left of the crop, height and
width of the picture that is wanted."""


def check_unet(folder: Path) -> None:
    """Check ``unet/config.json``: a U-Net over square latents, asked by prompts, a pooled prompt and sizes.

    Raises:
        ModelRefused: naming the file and every field that is wrong.
    """
    checked = checked_unet(folder)
    must = "be 'text_time': the U-Net is asked by a pooled prompt and sizes too"
    checked.value("addition_embed_type", lambda value: value == "text_time", must)
    checked.whole("addition_time_embed_dim", 1, MAX_NUMBER)
    checked.whole("projection_class_embeddings_input_dim", 1, MAX_NUMBER)
    checked.refuse(folder / "unet" / "config.json")


def check_zeros(folder: Path) -> None:
    """Check what ``model_index.json`` says of the empty prompt.

    Raises:
        ModelRefused: naming the file and the field.
    """
    checked = Checked(read_config(folder / INDEX))
    checked.flag("force_zeros_for_empty_prompt", True)
    checked.refuse(folder / INDEX)


def check_together(folder: Path) -> None:
    """Refuse checked parts that do not fit each other.

    Raises:
        ModelRefused: naming every field of the U-Net that is not what the other parts make.
    """
    unet, channels = read_config(folder / "unet" / "config.json"), latent_channels(folder)
    width = sum(clip_number(folder, "hidden_size", encoder) for encoder in ENCODERS)
    added = clip_number(folder, "projection_dim", ENCODERS[-1]) + IDS * int(unet["addition_time_embed_dim"])
    needed = {
        "in_channels": (channels, 4),
        "out_channels": (channels, 4),
        "cross_attention_dim": (width, 1280),
        "projection_class_embeddings_input_dim": (added, 0),
    }
    check_fit(folder, "unet", needed)


LAYOUT = PipelineLayout(
    pipeline="StableDiffusionXLPipeline",
    network="unet",
    parts={
        "unet": ("diffusers", "UNet2DConditionModel"),
        "vae": ("diffusers", "AutoencoderKL"),
        "text_encoder": ("transformers", "CLIPTextModel"),
        "text_encoder_2": ("transformers", "CLIPTextModelWithProjection"),
    },
    tokenizers={"tokenizer": CLIP, "tokenizer_2": CLIP},
    checks=(check_zeros, check_unet, *(partial(check_clip, encoder=encoder) for encoder in ENCODERS)),
    together=check_together,
)
