"""What the folder of a ``StableDiffusionPipeline`` says of itself. Plain: importing this does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest_parts import ImageFormat
from sfd_core.errors import ModelRefused

PIPELINE = "StableDiffusionPipeline"
_PARTS = {
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
}
_TOKENIZERS = ("CLIPTokenizer", "CLIPTokenizerFast")


def check_index(folder: Path) -> dict[str, Any]:
    """Read the folder's ``model_index.json``, if it is that of a Stable Diffusion 1.x or 2.x pipeline.

    Raises:
        ModelRefused: for another pipeline, or a part that is not the stock one.
    """
    path = folder / "model_index.json"
    index = read_config(path)
    if index.get("_class_name") != PIPELINE:
        raise ModelRefused(f"{path}: _class_name is {index.get('_class_name')!r}, must be {PIPELINE!r}")
    for part, stock in _PARTS.items():
        if index.get(part) != stock:
            raise ModelRefused(f"{path}: {part} is {index.get(part)}, must be {stock}")
    if list(index.get("tokenizer") or [None, None])[1] not in _TOKENIZERS:
        raise ModelRefused(f"{path}: tokenizer is {index.get('tokenizer')}, must be a CLIPTokenizer")
    return index


def image_of(folder: Path) -> ImageFormat:
    """Return what the pipeline of ``folder`` makes: its autoencoder halves the pixels along an edge between any two
    blocks.

    Raises:
        ModelRefused: for configurations that do not say it.
    """
    latents = read_config(folder / "unet" / "config.json").get("sample_size")
    blocks = read_config(folder / "vae" / "config.json").get("block_out_channels")
    if not isinstance(latents, int) or not isinstance(blocks, list) or not 1 <= len(blocks) <= 8:
        raise ModelRefused(f"{folder}: unet/config.json must have a whole sample_size, vae/config.json its blocks")
    side = latents * 2 ** (len(blocks) - 1)
    return ImageFormat(3, side, side)
