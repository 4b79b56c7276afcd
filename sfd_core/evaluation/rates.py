"""From what a judge saw to rates with their intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sfd_core.evaluation.intervals import Z95, Interval, wilson

Labels = NDArray[np.int64]


def rate(hits: NDArray[np.bool_]) -> Interval:
    """Return the share of ``hits``, [n], with Wilson's interval."""
    return wilson(int(hits.sum()), len(hits))


def pooled(hits: Sequence[NDArray[np.bool_]]) -> Interval:
    """Return the same over several groups of images together."""
    return rate(np.concatenate(list(hits)))


def shares(seen: Labels, concepts: int) -> tuple[float, ...]:
    """Return one row of a confusion matrix: the share of ``seen``, [n], that falls on each concept. Refused images fall
    on none, so a row may add up to less than one."""
    return tuple(float(share) for share in np.bincount(seen, minlength=concepts)[:concepts] / len(seen))


def mean_of(values: NDArray[np.floating]) -> Interval:
    """Return the mean of ``values``, [n], with the normal 95 % interval of a mean."""
    n, mean = len(values), float(values.mean())
    half = Z95 * float(values.std(ddof=1)) / np.sqrt(n) if n > 1 else float("inf")
    return Interval(mean, float(mean - half), float(mean + half), n)
