"""The parts of a ``StableDiffusionPipeline`` folder, read as :mod:`sfd_core.base_model.safe_files` reads networks:
JSON and safetensors only, nothing of the folder is executed. Stable Diffusion 1.x and 2.x, eps- or v-prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from transformers import CLIPTextModel, CLIPTokenizer

from sfd_core.base_model.safe_files import check_readable, read_config
from sfd_core.errors import ModelRefused
from sfd_core.families.stable_diffusion.text_parts import TextParts

PIPELINE = "StableDiffusionPipeline"
_PARTS = {
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
}
_TOKENIZERS = ("CLIPTokenizer", "CLIPTokenizerFast")


def check_index(folder: Path) -> dict[str, Any]:
    """The folder's ``model_index.json``, if it is that of a Stable Diffusion 1.x or 2.x pipeline.

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


def load_text_parts(folder: Path) -> TextParts:
    """Tokenizer, text encoder and autoencoder of a pipeline folder, in float32 on the CPU.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    check_index(folder)
    text_encoder = _pretrained(CLIPTextModel, folder / "text_encoder", "model.safetensors")
    vae = _pretrained(AutoencoderKL, folder / "vae", "diffusion_pytorch_model.safetensors")
    for file in sorted((folder / "tokenizer").glob("*.json")):
        if file.name in ("tokenizer_config.json", "special_tokens_map.json"):
            read_config(file)
    try:
        tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001 - whatever a hostile file provokes is a refusal
        raise ModelRefused(f"{folder / 'tokenizer'}: no CLIP tokenizer can be read from it: {error}") from None
    longest, positions = tokenizer.model_max_length, text_encoder.config.max_position_embeddings
    if longest > positions:
        raise ModelRefused(
            f"{folder / 'tokenizer'}: prompts of {longest} tokens, the text encoder has places for {positions}"
        )
    # Convolutions over whole pictures are what an autoencoder does: faster with the channels last.
    vae = vae.to(memory_format=torch.channels_last)
    return TextParts(tokenizer, text_encoder.eval().requires_grad_(False), vae.eval().requires_grad_(False))


def _pretrained(kind: type[Any], folder: Path, weights: str) -> Any:
    """A stock network from a folder: its library knows the names that older checkpoints gave their weights."""
    config = read_config(folder / "config.json")
    named = config.get("_class_name") or (config.get("architectures") or [None])[0]
    if named != kind.__name__:
        raise ModelRefused(f"{folder / 'config.json'}: the network is {named!r}, must be {kind.__name__!r}")
    check_readable(folder / weights)
    try:
        network = kind.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=torch.float32)
    except Exception as error:  # noqa: BLE001 - whatever a hostile file provokes is a refusal
        raise ModelRefused(f"{folder}: no {kind.__name__} can be read from it: {error}") from None
    for name, value in network.named_parameters():
        if value.is_meta:
            raise ModelRefused(f"{folder / weights}: {name} is missing")
        if not bool(torch.isfinite(value).all()):
            raise ModelRefused(f"{folder / weights}: {name} holds NaN or infinite weights")
    return network
