"""The autoencoder of pipelines that shift their latents."""

from __future__ import annotations

from pathlib import Path

from sfd_core.families.autoencoder import Autoencoder, load_autoencoder
from sfd_core.families.autoencoder_config import SHIFTED


def load_shifted_autoencoder(folder: Path) -> Autoencoder:
    """Load the ``vae/`` of a pipeline's folder, in float32 on the CPU. One that says no ``shift_factor`` is published
    with 0: stock pipelines add it, and end at a null.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    autoencoder = load_autoencoder(folder, SHIFTED)
    if autoencoder.vae.config.shift_factor is None:
        autoencoder.vae.register_to_config(shift_factor=0.0)
    return autoencoder
