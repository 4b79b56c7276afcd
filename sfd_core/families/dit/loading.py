"""The parts of a ``DiTPipeline`` folder, in: transformer, autoencoder and schedule, held against the manifest. JSON and
safetensors only, nothing of the folder is executed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import DiTTransformer2DModel
from diffusers.models.embeddings import PatchEmbed

from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.safe_files import load_network
from sfd_core.families.autoencoder import Autoencoder, load_autoencoder
from sfd_core.families.autoencoder_config import check_picture
from sfd_core.families.dit.layout import TRANSFORMER, check_latents, check_pipeline, image_of
from sfd_core.families.dit.transformer_config import read_transformer
from sfd_core.families.parameterization import VariancePreserving
from sfd_core.families.protocol import LoadedBase
from sfd_core.families.schedules import load_schedule


@dataclass(frozen=True)
class LoadedDit(LoadedBase):
    """A base model in memory with what it has beside its transformer."""

    schedule: VariancePreserving
    autoencoder: Autoencoder


def load(model: BaseModel, device: torch.device | str) -> LoadedDit:
    """Load the networks of ``model`` onto ``device``.

    Raises:
        ModelRefused: naming the files and what is wrong with each.
    """
    check_pipeline(model.folder, model.concepts)
    check_picture(model.folder, model.image, image_of(model.folder))
    schedule = load_schedule(model.folder)
    network, autoencoder = load_parts(model.folder, len(model.concepts))
    return LoadedDit(model, network.to(device), schedule, autoencoder.to(device))


def load_parts(folder: Path, concepts: int) -> tuple[DiTTransformer2DModel, Autoencoder]:
    """Load transformer and autoencoder of a folder, in float32 on the CPU.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    parts = load_transformer(folder / TRANSFORMER, concepts), load_autoencoder(folder)
    check_latents(folder)
    return parts


def load_transformer(folder: Path, concepts: int | None = None) -> DiTTransformer2DModel:
    """Load the transformer in ``folder``, which must know this many ``concepts``, in float32 on the CPU.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    network: DiTTransformer2DModel = load_network(folder, DiTTransformer2DModel, read_transformer(folder, concepts))
    config = network.config
    # The places of the patches are in no file: they are made where the network is.
    places = PatchEmbed(
        height=config.sample_size,
        width=config.sample_size,
        patch_size=config.patch_size,
        in_channels=config.in_channels,
        embed_dim=network.inner_dim,
    ).pos_embed
    network.pos_embed.register_buffer("pos_embed", places, persistent=False)
    return network.eval()  # in training it drops labels by itself, whatever the recipe says
