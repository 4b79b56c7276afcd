"""Which concepts a generator draws as hardly more than one picture.

Shares over all images hide it: of 47 concepts 28 may be one picture each, while the others are varied. So each is
counted by itself, by how likely two of its images are alike (Simpson's index, whose inverse is the number of equally
frequent pictures that would be alike as often). Two images are alike where they lie nearer to each other than a share
of what is usual between any two of the base model's: wide enough for pictures that are altered a little to pass for
different ones. How often the base model's own are alike is taken off: a concept that it draws in two ways is no fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.metrics import Features, jackknife_interval

NEAR = 0.3
"""Share of the base model's median distance between any two images within which two are alike."""
FEWEST = 2.4
"""Equally frequent pictures below which a concept is hardly more than one picture, where no two images of the base
model's are alike; else, with b the share of those, two are alike in more than b + (1 - b) / 2.4."""
MOST, SEED = 300, 0
"""Most images a concept and side that are compared, seeded subsets where there are more."""
GROUPS = 20


@dataclass(frozen=True)
class Alike:
    """The concepts whose images are alike. ``concepts``: the share that are hardly more than one picture; its bounds
    count those that are by either bound of their own interval, and its ``n`` the images. ``pictures``: how many equally
    frequent pictures each concept is worth; infinite where no two images are alike."""

    concepts: Interval
    pictures: tuple[float, ...]


def alike(base_model: Sequence[Features], samples: Sequence[Features]) -> Alike:
    """Count the concepts whose images, ``samples``, are alike; ``base_model``, ``samples``: [images, F] a concept.

    The interval of each concept is a delete-a-group jackknife over its images, in up to 20 groups.

    Raises:
        ValueError: for a concept of fewer than two images.
    """
    found = [_share(theirs, ours) for theirs, ours in zip(base_model, samples, strict=True)]
    low, value, high = (
        float(np.mean([bounds[i] > own + (1 - own) / FEWEST for bounds, own in found])) for i in range(3)
    )
    pictures = tuple(1 / share if share else float("inf") for (_, share, _), _ in found)
    return Alike(Interval(value, low, high, sum(map(len, samples))), pictures)


def _share(base_model: Features, samples: Features) -> tuple[tuple[float, float, float], float]:
    """How likely two images are alike, with lower bound, estimate and upper bound; and two of the base model's."""
    theirs, ours = (_apart(_some(part)) for part in (base_model, samples))
    between = theirs[_pairs(len(theirs))]
    radius = NEAR * between.median()
    return _bounds(ours, radius), float((between <= radius).double().mean())


def _bounds(ours: Tensor, radius: Tensor) -> tuple[float, float, float]:
    n = len(ours)
    near = (ours <= radius).double() * _pairs(n)
    value = float(near.sum() / (n * (n - 1)))
    groups = min(GROUPS, n)
    if n - -(-n // groups) < 2:  # without a group there would be no pair
        return 0.0, value, 1.0
    left = []
    for g in range(groups):
        kept = torch.arange(n) % groups != g
        m = int(kept.sum())
        left.append(float(near[kept][:, kept].sum() / (m * (m - 1))))
    if groups < GROUPS:  # the quantile is that of 20 groups
        return 0.0, value, 1.0
    interval = jackknife_interval(value, left, n)
    return interval.low, value, min(1.0, interval.high)


def _some(images: Features) -> Tensor:
    if len(images) < 2:
        raise ValueError("whether images are alike takes two of each concept, of generator and base model")
    chosen = np.sort(np.random.default_rng(SEED).permutation(len(images))[:MOST])
    return torch.from_numpy(images[chosen]).double()


def _apart(images: Tensor) -> Tensor:
    """Distances between images [n, F]: [n, n]."""
    return torch.cdist(images, images, compute_mode="donot_use_mm_for_euclid_dist")


def _pairs(n: int) -> Tensor:
    """Which entries of [n, n] are pairs of two images."""
    return ~torch.eye(n, dtype=torch.bool)
