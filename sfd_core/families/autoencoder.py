"""The autoencoder of a pipeline over latents, diffusers' ``AutoencoderKL``: latents to pictures and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

from sfd_core.base_model.libraries import load_pretrained
from sfd_core.base_model.safe_files import WEIGHTS
from sfd_core.families.autoencoder_config import SCALED, AutoencoderKind
from sfd_core.families.images import to_uint8

DECODED_TOGETHER = 2**20
"""Pixels that are decoded at a time: four pictures of 512 x 512, which take 3.6 GB (docs/memory.md)."""


@dataclass
class Autoencoder:
    """An ``AutoencoderKL``, or in a class of its own another of diffusers': frozen, in evaluation mode, shared by
    everything of a run. Latents are as a network has them, scaled by ``scaling_factor`` after ``shift_factor`` was
    taken from them."""

    vae: Any

    def to(self, device: torch.device | str) -> Autoencoder:
        """Move the network to ``device``."""
        self.vae.to(device)
        return self

    @property
    def channels(self) -> int:
        """Channels of the latents."""
        return int(self.vae.config.latent_channels)

    def decoded(self, latents: Tensor) -> Tensor:
        """Decode latents [n, C, h, w] to images [n, 3, H, W] in float32, which may overshoot [-1, 1]; gradients flow
        into the latents."""
        images: Tensor = self.vae.decode(self._unscaled(latents)).sample
        return images.float()

    @torch.no_grad()
    def pictures(self, latents: Tensor) -> NDArray[np.uint8]:
        """Decode latents [n, C, h, w] to uint8 [n, H, W, 3]."""
        pieces = self._unscaled(latents).split(self.together(latents[0, 0].numel()))
        return np.concatenate([to_uint8(self.vae.decode(piece).sample) for piece in pieces])

    @torch.no_grad()
    def latents(self, images: Tensor) -> Tensor:
        """Encode ``images`` [n, 3, H, W] in [-1, 1] to latents [n, C, h, w] float32: the mode of each, so that an image
        always has the same."""
        pieces = images.to(self.vae.device, self.vae.dtype).split(max(1, DECODED_TOGETHER // images[0, 0].numel()))
        found = torch.cat([self._encoded(piece) for piece in pieces]).float()
        return (found - self._shift) * float(self.vae.config.scaling_factor)

    def together(self, cells: int) -> int:
        """Count the pictures of so many cells of latents that are decoded at a time: the autoencoder halves both edges
        between any two blocks."""
        return max(1, DECODED_TOGETHER // int(cells * 4 ** (self._blocks - 1)))

    def _encoded(self, images: Tensor) -> Tensor:
        """What the network itself makes of images, not scaled yet."""
        found: Tensor = self.vae.encode(images).latent_dist.mode()
        return found

    @property
    def _blocks(self) -> int:
        return len(self.vae.config.block_out_channels)

    def _unscaled(self, latents: Tensor) -> Tensor:
        scaled: Tensor = latents.to(self.vae.dtype) / self.vae.config.scaling_factor
        return scaled + self._shift if self._shift else scaled

    @property
    def _shift(self) -> float:
        return float(getattr(self.vae.config, "shift_factor", None) or 0)


def load_autoencoder(
    folder: Path,
    kind: AutoencoderKind = SCALED,
    network: type[Any] = AutoencoderKL,
    made: type[Autoencoder] = Autoencoder,
) -> Autoencoder:
    """Load the ``vae/`` of a pipeline's folder, of this ``kind`` and class ``network``, in float32 on the CPU, and make
    ``made`` of it.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    kind.check(folder)
    vae = load_pretrained(network, folder / "vae", WEIGHTS)
    # Convolutions over whole pictures are what an autoencoder does: faster with the channels last.
    vae = vae.to(memory_format=torch.channels_last)
    return made(vae.eval().requires_grad_(False))
