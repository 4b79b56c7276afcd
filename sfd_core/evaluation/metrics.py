"""Distances between two sets of images, on features that were computed before. Both come from torchmetrics; ours is
only the module that hands it our features. FD is called FID only on the standard Inception features, which are not
these: each figure is named after its features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

KID_SUBSETS, KID_SUBSET_SIZE, KID_SEED = 50, 500, 0
Features = NDArray[np.float32]


@dataclass(frozen=True)
class KernelDistance:
    """KID: mean and standard deviation over subsets of ``KID_SUBSET_SIZE`` images."""

    mean: float
    std: float


class _Given(nn.Module):
    """A feature extractor whose input are the features."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def frechet_distance(reference: Features, samples: Features) -> float:
    """Frechet distance between the Gaussians of two feature sets [n, F] (Heusel et al. 2017).

    Raises:
        ValueError: for fewer images than features on either side: the covariance would be singular.
    """
    for name, features in (("reference", reference), ("samples", samples)):
        if len(features) <= features.shape[1]:
            raise ValueError(f"{len(features)} {name} images for {features.shape[1]} features: more are needed")
    metric = FrechetInceptionDistance(feature=_Given(reference.shape[1])).set_dtype(torch.float64)
    metric.update(torch.from_numpy(reference).double(), real=True)
    metric.update(torch.from_numpy(samples).double(), real=False)
    return max(0.0, float(metric.compute()))


def kernel_distance(reference: Features, samples: Features) -> KernelDistance:
    """Kernel distance with a cubic polynomial kernel (Binkowski et al. 2018), over seeded random subsets."""
    size = min(KID_SUBSET_SIZE, len(reference), len(samples))
    metric = KernelInceptionDistance(feature=_Given(reference.shape[1]), subsets=KID_SUBSETS, subset_size=size)
    metric.update(torch.from_numpy(reference).float(), real=True)
    metric.update(torch.from_numpy(samples).float(), real=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(KID_SEED)
        mean, std = metric.compute()
    return KernelDistance(float(mean), float(std))


def halves(features: Features, seed: int = 0) -> tuple[Features, Features]:
    """Two random halves of one set: their distance is the floor below which a distance means nothing."""
    order = np.random.default_rng(seed).permutation(len(features))
    middle = len(features) // 2
    return features[order[:middle]], features[order[middle : 2 * middle]]
