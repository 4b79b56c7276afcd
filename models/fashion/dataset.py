"""Fashion-MNIST as Debian ships it (package ``dataset-fashion-mnist``), read into tensors.

Only the scripts of this folder read it: a job never does.
"""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

FOLDER = Path("/usr/share/datasets/fashion-mnist")
CONCEPTS = (
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def load(split: str, folder: Path = FOLDER) -> tuple[Tensor, Tensor]:
    """Load images [N, 1, 28, 28] in [-1, 1] and labels [N] of ``train`` (60 000) or ``t10k`` (10 000).

    Raises:
        FileNotFoundError: with the command that installs the data.
    """
    images_file = folder / f"{split}-images-idx3-ubyte.gz"
    if not images_file.exists():
        raise FileNotFoundError(f"{images_file} is missing: apt-get install dataset-fashion-mnist")
    images = np.frombuffer(gzip.decompress(images_file.read_bytes()), np.uint8, offset=16)
    labels = np.frombuffer(gzip.decompress((folder / f"{split}-labels-idx1-ubyte.gz").read_bytes()), np.uint8, offset=8)
    x = torch.from_numpy(images.reshape(-1, 1, 28, 28).copy()).float().div_(127.5).sub_(1.0)
    return x, torch.from_numpy(labels.astype(np.int64))


def digest(split: str, folder: Path = FOLDER) -> str:
    """Return the SHA-256 of the image file as shipped, for the card."""
    return hashlib.sha256((folder / f"{split}-images-idx3-ubyte.gz").read_bytes()).hexdigest()
