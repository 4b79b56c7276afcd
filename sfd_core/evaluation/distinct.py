"""How many of a generator's images are pictures of their own, not one of a few again.

An image repeats another if it lies nearer to it than half of what is usual between nearest images of the base model:
the median distance of the base model's images to their nearest neighbour, among as many of the same concept. Unlike
coverage this asks nothing of how the pictures look, only how much they differ from each other: a generator whose style
is a little off still draws different pictures, and one that draws ten perfect ones again and again does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.metrics import JACKKNIFE_GROUPS, Features, jackknife_interval

NEAR = 0.5
"""Share of the base model's median distance within which an image repeats another."""
SAME = 1e-6
"""Distance below which two images are the same, as far as rounding tells."""
MOST, SEED = 1000, 0
"""Most images a concept and side that are compared, seeded subsets where there are more."""


def distinct(base_model: Sequence[Features], samples: Sequence[Features]) -> tuple[Interval, tuple[float, ...]]:
    """Compute the share of the generator's images, ``samples``, that repeat no other of their concept, with its 95 %
    interval, and the share of each concept; ``base_model``, ``samples``: [images, F] a concept.

    Both sides are drawn to equally many. The interval is a delete-a-group jackknife over the generator's images.

    Raises:
        ValueError: for a concept of fewer than two images, or fewer than two images a group over all concepts.
    """
    concepts = [_nearest(*_equal(theirs, ours)) for theirs, ours in zip(base_model, samples, strict=True)]
    images = sum(len(nearest) for nearest, _ in concepts)
    if images < 2 * JACKKNIFE_GROUPS:
        raise ValueError(f"an interval of distinct images takes {2 * JACKKNIFE_GROUPS} images, not {images}")
    own = [nearest.min(dim=1).values >= radius for nearest, radius in concepts]
    value = float(torch.cat(own).double().mean())
    left = []
    for g in range(JACKKNIFE_GROUPS):
        others = torch.arange(JACKKNIFE_GROUPS) != g
        rest = [
            nearest[torch.arange(len(nearest)) % JACKKNIFE_GROUPS != g][:, others].min(dim=1).values >= radius
            for nearest, radius in concepts
        ]
        left.append(float(torch.cat(rest).double().mean()))
    interval = jackknife_interval(value, left, images)
    return replace(interval, high=min(1.0, interval.high)), tuple(float(each.double().mean()) for each in own)


def _equal(base_model: Features, samples: Features) -> tuple[Tensor, Tensor]:
    """Equally many of both, in double precision: [n, F] each."""
    n, rng = min(len(base_model), len(samples), MOST), np.random.default_rng(SEED)
    if n < 2:
        raise ValueError("an image repeats another: two of each concept are needed, of generator and base model")
    theirs, ours = (torch.from_numpy(part[np.sort(rng.permutation(len(part))[:n])]) for part in (base_model, samples))
    return theirs.double(), ours.double()


def _nearest(base_model: Tensor, samples: Tensor) -> tuple[Tensor, Tensor]:
    """The distance of each of the generator's images to its nearest in each jackknife's group, [n, groups], and the
    radius within which one repeats another."""
    apart, nowhere = _apart(samples), torch.full((len(samples), 1), float("inf"), dtype=torch.float64)
    groups = [torch.cat([apart[:, g::JACKKNIFE_GROUPS], nowhere], dim=1) for g in range(JACKKNIFE_GROUPS)]
    nearest = torch.stack([group.min(dim=1).values for group in groups], dim=1)
    radius = NEAR * _apart(base_model).min(dim=1).values.median()
    # Where the base model repeats itself, only what is the same is a repetition.
    return nearest, radius.clamp_min(SAME)


def _apart(images: Tensor) -> Tensor:
    """Distances between images [n, F], none to itself: [n, n]."""
    return torch.cdist(images, images).fill_diagonal_(float("inf"))
