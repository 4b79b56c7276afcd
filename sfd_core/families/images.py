"""Images between tensors and pixels, and the noise that they start from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def noise_of(seeds: Sequence[int], shape: tuple[int, int, int]) -> Tensor:
    """Draw unit noise [n, C, H, W], each image from a CPU generator of its own seed, as stock pipelines do."""
    return noises_of(seeds, shape, 1)[0]


def noises_of(seeds: Sequence[int], shape: tuple[int, int, int], steps: int) -> list[Tensor]:
    """Draw unit noise [n, C, H, W] for each of ``steps``: the first is :func:`noise_of`, and the same generators go
    on."""
    drawn = [[torch.randn(shape, generator=own) for _ in range(steps)] for own in map(_seeded, seeds)]
    return [torch.stack(list(step)) for step in zip(*drawn, strict=True)]


def _seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise_shape(network: Any) -> tuple[int, int, int]:
    """Return [C, H, W] of the images that a diffusers U-Net or transformer is asked about. One that is given several
    cells as one says ``latent_channels`` beside ``in_channels``."""
    config = network.config
    size = config.sample_size
    height, width = (size, size) if isinstance(size, int) else size
    return getattr(config, "latent_channels", config.in_channels), height, width


def to_uint8(images: Tensor) -> NDArray[np.uint8]:
    """Convert [n, C, H, W] in [-1, 1] to uint8 [n, H, W] or [n, H, W, 3]."""
    pixels = images.float().clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return pixels[..., 0] if pixels.shape[-1] == 1 else pixels


def from_uint8(images: NDArray[np.uint8]) -> Tensor:
    """Invert :func:`to_uint8`: float32 [n, C, H, W] in [-1, 1]."""
    pixels = images[..., None] if images.ndim == 3 else images
    return torch.from_numpy(pixels.copy()).permute(0, 3, 1, 2).float().div(127.5).sub(1)
