"""Coverage (Naeem et al. 2020, arXiv 2002.09797): how much of the base model's variety a generator's images have.

A picture of the base model is covered if an image of the generator lies nearer to it than its k-th nearest neighbour
among the base model's other pictures of the same concept. A generator with few distinct pictures covers few, however
good each is; outliers cover none, which recall's balls around the generator's own images would reward.

How much the base model itself would cover needs no measurement: for images of one distribution it follows from counting
alone, whatever the distribution (:func:`expected_coverage`). So a share is read beside the share expected of as many.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.metrics import JACKKNIFE_GROUPS, Features, jackknife_interval

K = 5
"""Nearest neighbours that make a ball; Naeem et al."""
MOST, SEED = 2000, 0
"""Most pictures of the base model a concept that are looked at, a seeded subset where there are more."""


@dataclass(frozen=True)
class Coverage:
    """The coverage of some concepts. ``covered``: share of the base model's pictures that the generator's images cover;
    ``expected``: share that as many images of the base model would. ``ratio``: the first over the second with its 95 %
    interval; its ``n`` is the generator's images. ``by_concept``: the ratio of each, in the order that was given."""

    covered: float
    expected: float
    ratio: Interval
    by_concept: tuple[float, ...]


def expected_coverage(m: int, n: int, k: int = K) -> float:
    """Compute the share of ``m`` pictures that ``n`` more of the same distribution cover on average.

    Among the m - 1 + n others of a picture every order of nearness is equally likely. It stays uncovered if the k
    nearest are all among the m - 1 (Naeem et al. 2020, lemma 2): 1 - prod over i < k of (m - 1 - i) / (m - 1 + n - i).

    Raises:
        ValueError: for k or fewer pictures, or no image.
    """
    if m <= k or n < 1:
        raise ValueError(f"coverage takes more than k = {k} pictures and an image, not {m} and {n}")
    return 1 - prod((m - 1 - i) / (m - 1 + n - i) for i in range(k))


def coverage(reference: Sequence[Features], samples: Sequence[Features], k: int = K) -> Coverage:
    """Compute how much of the base model's pictures, ``reference``, the generator's images, ``samples``, cover: both
    [images, F] a concept, concept by concept.

    The interval is a delete-a-group jackknife over the generator's images, as that of the Frechet distance: without a
    group fewer images cover less, and fewer are expected to.

    Raises:
        ValueError: for a concept with k or fewer pictures or a single image, or fewer than two images a group over all
            concepts.
    """
    if min(map(len, samples)) < 2:
        raise ValueError("coverage takes two images of each concept: without one there must be another")
    n = sum(map(len, samples))
    if n < 2 * JACKKNIFE_GROUPS:
        raise ValueError(f"an interval of coverage takes {2 * JACKKNIFE_GROUPS} images, not {n}")
    concepts = [_Covered.of(ref, made, k) for ref, made in zip(reference, samples, strict=True)]
    every = np.ones(JACKKNIFE_GROUPS, bool)
    covered, expected = (np.array(column) for column in zip(*(one.without(~every) for one in concepts), strict=True))
    value = float(covered.sum() / expected.sum())
    left = []
    for g in range(JACKKNIFE_GROUPS):
        parts = [one.without(np.arange(JACKKNIFE_GROUPS) == g) for one in concepts]
        left.append(sum(c for c, _ in parts) / sum(e for _, e in parts))
    pictures = sum(len(one.by_group) for one in concepts)
    return Coverage(
        float(covered.sum()) / pictures,
        float(expected.sum()) / pictures,
        jackknife_interval(value, left, n),
        tuple(float(ratio) for ratio in covered / expected),
    )


@dataclass(frozen=True)
class _Covered:
    """One concept. ``by_group``: whether any image of a jackknife's group covers a picture, [m, groups]; ``images``:
    of each group, [groups]."""

    by_group: NDArray[np.bool_]
    images: NDArray[np.int64]
    k: int

    @classmethod
    def of(cls, reference: Features, samples: Features, k: int) -> _Covered:
        chosen = np.random.default_rng(SEED).permutation(len(reference))[:MOST]
        ref, made = (torch.from_numpy(part).double() for part in (reference[np.sort(chosen)], samples))
        if len(ref) <= k:
            raise ValueError(f"coverage takes more than k = {k} pictures of the base model a concept, not {len(ref)}")
        # The nearest of all is the picture itself, so the k-th neighbour has rank k + 1.
        radii = torch.cdist(ref, ref).topk(k + 1, dim=1, largest=False).values[:, -1:]
        by_group = np.stack(
            [_any(made[g::JACKKNIFE_GROUPS], ref, radii) for g in range(JACKKNIFE_GROUPS)], axis=1
        )  # [m, groups]
        images = np.array([len(made[g::JACKKNIFE_GROUPS]) for g in range(JACKKNIFE_GROUPS)])
        return cls(by_group, images, k)

    def without(self, group: NDArray[np.bool_]) -> tuple[int, float]:
        """Count the pictures that are covered, and those that would be expected, without the images of ``group``."""
        m, n = len(self.by_group), int(self.images[~group].sum())
        if n == 0:
            return 0, 0.0
        return int(self.by_group[:, ~group].any(1).sum()), m * expected_coverage(m, n, self.k)


def _any(made: Tensor, ref: Tensor, radii: Tensor) -> NDArray[np.bool_]:
    """Whether each picture of ``ref`` [m, F] has one of ``made`` [n, F] within its radius [m, 1]: [m]."""
    inside: NDArray[np.bool_] = (torch.cdist(ref, made) <= radii).any(1).numpy()
    return inside
