"""What is read of a ``DiTPipeline`` folder, and what its configurations must say. Plain: importing this does not import
torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sfd_core.base_model.config_checks import check_all
from sfd_core.base_model.configs import CONFIG, read_config
from sfd_core.base_model.layout import INDEX, SCHEDULER, FolderLayout
from sfd_core.base_model.manifest_parts import ImageFormat
from sfd_core.errors import ModelRefused
from sfd_core.families.autoencoder_config import check_autoencoder, latent_channels, picture_of
from sfd_core.families.dit.index import PIPELINE, check_index
from sfd_core.families.dit.transformer_config import CHANNELS, CLASSES, SAMPLE_SIZE, read_transformer
from sfd_core.families.scheduler_config import read_scheduler

TRANSFORMER = "transformer"


def check_pipeline(folder: Path, concepts: Sequence[str] | None = None) -> None:
    """Check every configuration of a pipeline's folder. ``concepts``: its classes; None where nobody has said them yet.

    Raises:
        ModelRefused: naming each file and every field of it that is wrong.
    """
    check_all(
        lambda: check_index(folder, concepts),
        lambda: read_scheduler(folder),
        lambda: read_transformer(folder / TRANSFORMER, None if concepts is None else len(concepts)),
        lambda: check_autoencoder(folder),
    )
    check_latents(folder)


def check_latents(folder: Path) -> None:
    """Refuse a transformer, whose configuration and the autoencoder's were checked, over other latents than that
    makes.

    Raises:
        ModelRefused: with both.
    """
    path = folder / TRANSFORMER / CONFIG
    channels, made = read_config(path).get("in_channels", CHANNELS), latent_channels(folder)
    if channels != made:
        raise ModelRefused(f"{path}: in_channels is {channels}, the autoencoder's latents have {made}")


def image_of(folder: Path) -> ImageFormat:
    """Return what the pipeline of ``folder`` makes.

    Raises:
        ModelRefused: for a configuration that does not say it, or pictures that are too large.
    """
    return picture_of(folder, read_transformer(folder / TRANSFORMER).get("sample_size", SAMPLE_SIZE))


def classes_of(folder: Path) -> int:
    """Return how many classes the network of ``folder`` knows, its null class left out.

    Raises:
        ModelRefused: for a configuration that is wrong.
    """
    return int(read_transformer(folder / TRANSFORMER).get("num_embeds_ada_norm", CLASSES))


LAYOUT = FolderLayout(
    pipeline=PIPELINE,
    configs=(INDEX, SCHEDULER, f"{TRANSFORMER}/config.json", "vae/config.json"),
    weights=(
        f"{TRANSFORMER}/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    ),
    check=check_pipeline,
    image=image_of,
    classes=classes_of,
)
