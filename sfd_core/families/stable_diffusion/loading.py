"""The parts of a ``StableDiffusionPipeline`` folder, read as :mod:`sfd_core.base_model.safe_files` reads networks:
JSON and safetensors only, nothing of the folder is executed. Stable Diffusion 1.x and 2.x, eps- or v-prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from sfd_core.base_model.config_checks import is_whole, shown
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.safe_files import check_readable, load_unet
from sfd_core.errors import ModelRefused
from sfd_core.families.parameterization import VariancePreserving
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.schedules import load_schedule
from sfd_core.families.stable_diffusion.index import check_index
from sfd_core.families.stable_diffusion.part_configs import check_text_encoder, check_vae, image_of
from sfd_core.families.stable_diffusion.text_parts import TextParts


@dataclass(frozen=True)
class LoadedPipeline(LoadedBase):
    """A base model in memory with what it has beside its U-Net."""

    schedule: VariancePreserving
    text: TextParts

    def unread(self, prompts: Sequence[str]) -> Mapping[str, str]:
        """Return the ends of ``prompts`` that do not fit into the text encoder, by prompt."""
        return self.text.cut(prompts)


def load(model: BaseModel, device: torch.device | str) -> LoadedPipeline:
    """Load the networks of ``model`` onto ``device``.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    made = image_of(model.folder)
    if model.image != made:
        raise ModelRefused(
            f"{model.folder}: the manifest's image is {model.image.channels} x {model.image.height} x "
            f"{model.image.width}, the pipeline makes {made.channels} x {made.height} x {made.width}"
        )
    schedule = load_schedule(model.folder)
    text = load_text_parts(model.folder)
    unet = load_unet(model.folder / "unet", UNet2DConditionModel)
    channels, width = text.vae.config.latent_channels, text.text_encoder.config.hidden_size
    for name, wanted in (("in_channels", channels), ("out_channels", channels), ("cross_attention_dim", width)):
        if unet.config[name] != wanted:
            raise ModelRefused(f"{model.folder / 'unet'}: {name} is {unet.config[name]}, the other parts make {wanted}")
    return LoadedPipeline(model, unet.to(device), schedule, text.to(device))


def load_text_parts(folder: Path) -> TextParts:
    """Load tokenizer, text encoder and autoencoder of a pipeline folder, in float32 on the CPU.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    check_index(folder)
    check_text_encoder(folder)
    check_vae(folder)
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
    # A token to begin and one to end with, and one of the prompt.
    if not is_whole(longest) or not 3 <= longest <= positions:
        raise ModelRefused(
            f"{folder / 'tokenizer'}: prompts of {shown(longest)} tokens, the text encoder has places for {positions} "
            "and needs 3"
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
