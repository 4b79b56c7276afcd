"""The parts of a ``StableDiffusionPipeline`` folder, read as :mod:`sfd_core.base_model.safe_files` reads networks:
JSON and safetensors only, nothing of the folder is executed. Stable Diffusion 1.x and 2.x, eps- or v-prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from sfd_core.base_model.config_checks import is_whole, shown
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.safe_files import load_pretrained, load_unet
from sfd_core.errors import ModelRefused
from sfd_core.families.autoencoder import load_autoencoder
from sfd_core.families.autoencoder_config import check_picture
from sfd_core.families.parameterization import VariancePreserving
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.schedules import load_schedule
from sfd_core.families.stable_diffusion.index import check_index
from sfd_core.families.stable_diffusion.part_configs import check_text_encoder, image_of
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
    check_picture(model.folder, model.image, image_of(model.folder))
    schedule = load_schedule(model.folder)
    text = load_text_parts(model.folder)
    unet = load_unet(model.folder / "unet", UNet2DConditionModel)
    channels, width = text.autoencoder.channels, text.text_encoder.config.hidden_size
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
    text_encoder = load_pretrained(CLIPTextModel, folder / "text_encoder", "model.safetensors")
    autoencoder = load_autoencoder(folder)
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
    return TextParts(tokenizer, text_encoder.eval().requires_grad_(False), autoencoder)
