"""The Frechet distances of a generator and of its base model to real images, of equally many images of each concept:
the distance falls with their number, so that two are comparable only at the same one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sfd_core.evaluation.intervals import Interval
from sfd_core.evaluation.metrics import Features, frechet_distance, frechet_interval

DRAWS, SEED = 8, 0
"""Draws of the base model's images whose distances are averaged: it has more of them than are compared."""


def equal_counts(generator: Sequence[Features], base_model: Sequence[Features]) -> list[int]:
    """Return how many images of each concept both sides have."""
    return [min(len(ours), len(theirs)) for ours, theirs in zip(generator, base_model, strict=True)]


def frechet_pair(
    real: Features, generator: Sequence[Features], base_model: Sequence[Features]
) -> tuple[Interval, Interval]:
    """Compute the distances of generator and base model to ``real`` [n, F], with their 95 % intervals, from as many
    images of each concept; ``generator``, ``base_model``: [images, F] a concept.

    Of a side with more images some are drawn, without replacement: once of the generator's, whose images are then the
    sample that the interval is about; several times of the base model's, whose mean distance is taken, with the
    relative width of the first draw's interval.

    Raises:
        ValueError: as ``frechet_interval``.
    """
    counts, rng = equal_counts(generator, base_model), np.random.default_rng(SEED)
    ours = frechet_interval(real, _drawn(generator, counts, rng))
    first = _drawn(base_model, counts, rng)
    theirs = frechet_interval(real, first)
    if all(len(part) == n for part, n in zip(base_model, counts, strict=True)):
        return ours, theirs
    further = [frechet_distance(real, _drawn(base_model, counts, rng)) for _ in range(DRAWS - 1)]
    mean = float(np.mean([theirs.value, *further]))
    scale = mean / theirs.value if theirs.value else 1.0
    return ours, Interval(mean, theirs.low * scale, theirs.high * scale, theirs.n)


def _drawn(concepts: Sequence[Features], counts: Sequence[int], rng: np.random.Generator) -> Features:
    """So many of each concept, in their order: [sum of counts, F]."""
    return np.concatenate(
        [part[np.sort(rng.permutation(len(part))[:n])] for part, n in zip(concepts, counts, strict=True)]
    )
