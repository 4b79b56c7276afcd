"""What second implementations need of mathematics, by mpmath, which comes with torch.

Not by scipy: where that is installed, every process that trains or evaluates imports it too, a second or so each,
and runs in an environment that no worker in production has.
"""

from __future__ import annotations

import mpmath
import numpy as np
from numpy.typing import NDArray

NORMAL_975 = float(mpmath.sqrt(2) * mpmath.erfinv(0.95))
"""The quantile of a two-sided 95 % interval."""


def student_quantile(p: float, degrees: int) -> float:
    """Find the quantile ``p`` above one half of Student's t, by its distribution function."""

    def distribution(t: mpmath.mpf) -> mpmath.mpf:
        tail = mpmath.betainc(degrees / 2, 0.5, 0, degrees / (degrees + t * t), regularized=True)
        return 1 - tail / 2

    return float(mpmath.findroot(lambda t: distribution(t) - p, 2))


def trace_of_root(matrix: NDArray[np.float64]) -> float:
    """Compute the trace of a matrix's square root."""
    root = mpmath.sqrtm(mpmath.matrix(matrix.tolist()))
    return float(mpmath.re(sum(root[i, i] for i in range(root.rows))))
