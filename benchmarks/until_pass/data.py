"""Real images, and drawn ones, that small base models are trained on: [n, 1, side, side] in [-1, 1] with their labels,
those to train on and those to test on."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from models.fashion import dataset as fashion

SHAPES = ("disc", "ring", "square", "cross", "bars")
CLOTHES = ("Trouser", "Pullover", "Dress", "Sneaker", "Bag", "Ankle boot")
DIGITS = tuple(map(str, range(10)))
TESTED = 3
"""One in so many digits is tested on; there are 1797."""


@dataclass(frozen=True)
class Split:
    """Images [n, 1, side, side] and their labels [n]."""

    images: Tensor
    labels: Tensor


def shapes(side: int = 12, train: int = 6000, test: int = 2000) -> tuple[Split, Split]:
    """Draw shapes of any place, size and brightness, with a little noise."""
    return _drawn(side, train, seed=1), _drawn(side, test, seed=2)


def _drawn(side: int, n: int, seed: int) -> Split:
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(len(SHAPES), (n,), generator=rng)
    x, y = torch.meshgrid(torch.arange(side).float(), torch.arange(side).float(), indexing="xy")
    u = torch.rand(n, 5, generator=rng)
    centre = (side - 1) / 2 + (u[:, :2] - 0.5) * side / 4
    size = (side * (0.2 + 0.15 * u[:, 2]))[:, None, None]
    dx, dy = x - centre[:, 0, None, None], y - centre[:, 1, None, None]
    r, edge = (dx**2 + dy**2).sqrt(), torch.maximum(dx.abs(), dy.abs())
    inside = edge - size
    forms = (
        r - size,
        (r - size).abs() - 0.7,
        inside,
        torch.maximum(inside, torch.minimum(dx.abs(), dy.abs()) - 0.8),
        torch.maximum(inside, (dy.remainder(4) - 2).abs() - 1),
    )
    distance = torch.stack(forms)[labels, torch.arange(n)]
    bright = (0.4 + 0.6 * u[:, 3])[:, None, None]
    ink = (0.5 - distance).clamp(0, 1) * 2 * bright - 1
    noise = 0.05 * torch.randn(ink.shape, generator=rng)
    return Split((ink + noise).clamp(-1, 1)[:, None], labels)


def digits() -> tuple[Split, Split]:
    """Load the 8x8 digits that come with scikit-learn (UCI, CC BY 4.0).

    Raises:
        SystemExit: scikit-learn is not installed.
    """
    if (found := find_spec("sklearn")) is None or found.submodule_search_locations is None:
        raise SystemExit("the digits come with scikit-learn: pip install scikit-learn")
    # Not through its loader, which needs scipy.
    table = np.loadtxt(f"{found.submodule_search_locations[0]}/datasets/data/digits.csv.gz", delimiter=",")
    images = torch.from_numpy(table[:, :-1]).float().reshape(-1, 1, 8, 8) / 8 - 1
    labels = torch.from_numpy(table[:, -1]).long()
    tested = torch.arange(len(labels)) % TESTED == 0
    return Split(images[~tested], labels[~tested]), Split(images[tested], labels[tested])


def clothes(side: int = 14) -> tuple[Split, Split]:
    """Load some classes of Fashion-MNIST at a quarter of its pixels."""
    parts = []
    for split in ("train", "t10k"):
        images, labels = fashion.load(split)
        of = torch.tensor([CLOTHES.index(c) if c in CLOTHES else -1 for c in fashion.CONCEPTS])[labels]
        parts.append(Split(F.adaptive_avg_pool2d(images[of >= 0], side), of[of >= 0]))
    return parts[0], parts[1]
