"""Distances between two sets of images, on features that were computed before. FD, KID and IS come from torchmetrics;
ours is only the module that hands it our features. FD is called FID only on the standard Inception features: each
figure is named after its features (``features.fd_name``). No well-kept library here has precision and recall, or an
interval for FD, so those are written out.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore as TorchmetricsInceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from sfd_core.evaluation.intervals import Interval

KID_SUBSETS, KID_SUBSET_SIZE, KID_SEED = 50, 500, 0
IS_SEED = 0
JACKKNIFE_GROUPS, T95_OF_19 = 20, 2.0930240544082634
"""Groups of the delete-a-group jackknife, and Student's t at 97.5 % with one degree of freedom less."""
WIDE, IMAGES_FOR_WIDE = 1000, 10_000
"""On more features than this a Frechet distance is printed only of so many images: its bias would drown it."""
MANIFOLD_IMAGES, MANIFOLD_BLOCK, MANIFOLD_SEED = 5000, 500, 0
"""Most images a side for precision and recall, and rows of their distance matrix that are in memory at a time."""
Features = NDArray[np.float32]


@dataclass(frozen=True)
class KernelDistance:
    """The KID: mean and standard deviation over subsets of ``KID_SUBSET_SIZE`` images."""

    mean: float
    std: float


@dataclass(frozen=True)
class PrecisionRecall:
    """Improved precision and recall. ``precision``: share of samples inside the reference's manifold. ``recall``: share
    of reference images inside the samples'."""

    precision: float
    recall: float


@dataclass(frozen=True)
class InceptionScore:
    """The Inception score, exp of the mean KL(p(y|x) || p(y)): mean and standard deviation over splits."""

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
    """Compute the Frechet distance between the Gaussians of two feature sets [n, F] (Heusel et al. 2017).

    Raises:
        ValueError: for fewer images than features on either side, since the covariance would be singular; for feature
            sets that do not fit each other, or that hold a number which is not finite.
    """
    _check(reference, samples)
    for name, features in (("reference", reference), ("samples", samples)):
        if len(features) <= features.shape[1]:
            raise ValueError(f"{len(features)} {name} images for {features.shape[1]} features: more are needed")
    metric = FrechetInceptionDistance(feature=_Given(reference.shape[1])).set_dtype(torch.float64)
    metric.update(torch.from_numpy(reference).double(), real=True)
    metric.update(torch.from_numpy(samples).double(), real=False)
    return max(0.0, float(metric.compute()))


def frechet_interval(reference: Features, samples: Features) -> Interval:
    """Compute the Frechet distance of ``samples`` [m, F] to ``reference`` [n, F], with its 95 % interval over samples;
    the interval's ``n`` is m.

    Delete-a-group jackknife (Kott 2001): with d_g the distance without group g of G, se^2 = (G - 1) / G * sum over g of
    (d_g - mean d)^2, and the interval is d +- t * se with Student's t of G - 1 degrees of freedom. A group is every
    G-th image, so that a set made concept by concept has every concept's share in each group. The interval says how far
    the distance *at this n* may move with other samples; the upward bias that a finite n gives FD is in the estimate,
    and the floor printed beside it shows how large it is.

    Raises:
        ValueError: as ``frechet_distance``, and for fewer than ``interval_needs(F)`` samples.
    """
    value = frechet_distance(reference, samples)
    features = samples.shape[1]
    groups = [torch.from_numpy(samples[g::JACKKNIFE_GROUPS]).double() for g in range(JACKKNIFE_GROUPS)]
    if len(samples) < (needed := interval_needs(features)):
        raise ValueError(
            f"{len(samples)} samples images for an interval of a distance on {features} features: without one group "
            f"of {JACKKNIFE_GROUPS} there are {len(samples) - len(groups[0])}, too few for a covariance; "
            f"{needed} are needed"
        )
    # Moments about the mean of all, which loses no digits. A group's outer products [F, F] are made again when it is
    # left out: twenty kept at 2048 features would be 670 MB.
    origin = torch.cat(groups).mean(0)
    total = torch.stack([(g - origin).sum(0) for g in groups]).sum(0)
    outer = sum(((g - origin).T @ (g - origin) for g in groups), torch.zeros(features, features, dtype=torch.float64))
    real = torch.from_numpy(reference).double()
    root = _root(torch.cov(real.T))
    without = []
    for group in groups:
        n, centred = len(samples) - len(group), group - origin
        mean = (total - centred.sum(0)) / n
        covariance = (outer - centred.T @ centred - n * torch.outer(mean, mean)) / (n - 1)
        without.append(_frechet(real.mean(0) - origin - mean, root, covariance))
    return jackknife_interval(value, without, len(samples))


def jackknife_interval(value: float, without: Sequence[float], n: int) -> Interval:
    """Return ``value``, of ``n`` images and not negative, with its 95 % interval by what it is ``without`` each of the
    groups (Kott 2001; :func:`frechet_interval` has the formula)."""
    spread = np.square(np.array(without) - np.mean(without)).sum()
    half = T95_OF_19 * float(np.sqrt((JACKKNIFE_GROUPS - 1) / JACKKNIFE_GROUPS * spread))
    return Interval(value, max(0.0, value - half), value + half, n)


def interval_needs(features: int) -> int:
    """Return the fewest samples for ``frechet_interval``: without one group there are still more images than
    features."""
    return math.ceil((features + 1) * JACKKNIFE_GROUPS / (JACKKNIFE_GROUPS - 1))


def images_needed(features: int) -> int:
    """Return the fewest images of which a Frechet distance and its interval on so many features are printed."""
    return IMAGES_FOR_WIDE if features > WIDE else interval_needs(features)


def enough(samples: Features, reference: Features) -> bool:
    """Return whether a Frechet distance can be printed: enough images, and more than features in half of the
    reference."""
    features = samples.shape[1]
    return len(samples) >= images_needed(features) and len(reference) // 2 > features


def _root(covariance: Tensor) -> Tensor:
    """Symmetric square root of a covariance [F, F]."""
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp(min=0).sqrt()) @ vectors.T
    return root


def _frechet(apart: Tensor, root: Tensor, covariance: Tensor) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (R1 C2 R1)^(1/2)) with R1 the root of C1: the same distance from symmetric
    matrices only, whose eigenvalues cost a tenth of a general one's."""
    cross = torch.linalg.eigvalsh(root @ covariance @ root).clamp(min=0).sqrt().sum()
    return float(apart.square().sum() + root.square().sum() + covariance.trace() - 2 * cross)


@contextlib.contextmanager
def _kept_on_purpose() -> Iterator[None]:
    """torchmetrics warns that these metrics keep all features: here they are small, and a report needs them once."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Metric .* will save all extracted features", UserWarning)
        yield


def kernel_distance(reference: Features, samples: Features) -> KernelDistance:
    """Compute the kernel distance with a cubic polynomial kernel (Binkowski et al. 2018), over seeded random
    subsets."""
    size = min(KID_SUBSET_SIZE, len(reference), len(samples))
    with _kept_on_purpose():
        metric = KernelInceptionDistance(feature=_Given(reference.shape[1]), subsets=KID_SUBSETS, subset_size=size)
    metric.update(torch.from_numpy(reference).float(), real=True)
    metric.update(torch.from_numpy(samples).float(), real=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(KID_SEED)
        mean, std = metric.compute()
    return KernelDistance(float(mean), float(std))


def precision_recall(reference: Features, samples: Features, k: int = 3) -> PrecisionRecall:
    """Compute improved precision and recall (Kynkaanniemi et al. 2019) of ``samples`` [m, F] for ``reference`` [n, F].

    The manifold of a set is the union of the balls around its images, each as wide as the distance to the image's k-th
    nearest neighbour in the same set. Precision is the share of SAMPLES in the reference's manifold, recall the share
    of the reference in the samples': arguments the other way round exchange the two. At most 5000 images a side are
    used, a seeded subset where there are more, and both sides as many, since the balls shrink as the sets grow.

    Raises:
        ValueError: for k or fewer images on a side, or sets that do not fit each other.
    """
    _check(reference, samples)
    size = min(len(reference), len(samples), MANIFOLD_IMAGES)
    if not 1 <= k < size:
        raise ValueError(f"k = {k} nearest neighbours need from {k + 1} images a side, not {size}")
    real, made = _subset(reference, size), _subset(samples, size)
    radii_real, radii_made = _radii(real, k), _radii(made, k)
    near_real, near_made = 0, torch.zeros(size, dtype=torch.bool)
    for block, radii in zip(made.split(MANIFOLD_BLOCK), radii_made.split(MANIFOLD_BLOCK), strict=True):
        distances = torch.cdist(block, real)
        near_real += int((distances <= radii_real).any(1).sum())
        near_made |= (distances <= radii[:, None]).any(0)
    return PrecisionRecall(near_real / size, int(near_made.sum()) / size)


def _subset(features: Features, size: int) -> Tensor:
    """``size`` of the rows, in double precision: [size, F]."""
    chosen = np.random.default_rng(MANIFOLD_SEED).permutation(len(features))[:size]
    return torch.from_numpy(features[np.sort(chosen)]).double()


def _radii(manifold: Tensor, k: int) -> Tensor:
    """The distance of each of ``manifold`` [n, F] to its k-th nearest neighbour, [n], some rows at a time."""
    # The nearest of all is the image itself, so the k-th neighbour has rank k + 1.
    blocks = (torch.cdist(block, manifold) for block in manifold.split(MANIFOLD_BLOCK))
    return torch.cat([distances.topk(k + 1, largest=False).values[:, -1] for distances in blocks])


def inception_score(probabilities: Features, splits: int = 10) -> InceptionScore:
    """Compute the Inception score (Salimans et al. 2016) of SAMPLES from a classifier's probabilities [n, K]. It is
    called IS only on Inception's probabilities: on a judge's it is IS-judge, from 1 to K.

    Raises:
        ValueError: for fewer images than ``splits``, fewer than two splits, or rows that are no probabilities.
    """
    if not 2 <= splits <= len(probabilities):
        raise ValueError(f"{splits} splits of {len(probabilities)} images: from 2 splits, at least one image in each")
    if not np.allclose(probabilities.sum(1), 1, atol=1e-3) or probabilities.min() < 0:
        raise ValueError("rows must be probabilities: not negative, with a sum of 1")
    # It takes logits: log p is one. p = 0 would make 0 * log 0, so it is held just above.
    logits = torch.from_numpy(probabilities).double().clamp(min=1e-12).log()
    with _kept_on_purpose():
        metric = TorchmetricsInceptionScore(feature=_Given(probabilities.shape[1]), splits=splits)
    metric.update(logits)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(IS_SEED)  # it shuffles before it splits
        mean, std = metric.compute()
    return InceptionScore(float(mean), float(std))


def halves(features: Features, seed: int = 0) -> tuple[Features, Features]:
    """Split one set into two random halves: their distance is the floor below which a distance means nothing."""
    order = np.random.default_rng(seed).permutation(len(features))
    middle = len(features) // 2
    return features[order[:middle]], features[order[middle : 2 * middle]]


def _check(reference: Features, samples: Features) -> None:
    """Both [n, F] with the same F, and finite."""
    if reference.ndim != 2 or samples.ndim != 2 or reference.shape[1] != samples.shape[1]:
        raise ValueError(f"features must be [n, F] with one F, not {reference.shape} and {samples.shape}")
    for name, features in (("reference", reference), ("samples", samples)):
        if not np.isfinite(features).all():
            raise ValueError(f"{name} features hold a number that is not finite")
