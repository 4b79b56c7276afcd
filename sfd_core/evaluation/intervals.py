"""An estimate with its 95 % interval: a proportion, the difference of two, the ratio of two. Plain: does not import
torch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from sfd_core.evaluation.field_types import Count

Z95 = 1.959963984540054
"""Standard normal quantile of a two-sided 95 % interval."""
TRIFLE = 1e-12
"""What nought counts as in a logarithm."""


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval: Wilson's for a share, Newcombe's for a difference of two shares, a
    delete-a-group jackknife for a Fréchet distance and for coverage, the normal one for a mean."""

    value: float
    """The point estimate. No verdict is decided by it alone."""
    low: float
    """The lower end of the 95 % interval."""
    high: float
    """The upper end of the 95 % interval."""
    n: Count
    """How many images stand behind the estimate."""


def wilson(successes: int, n: int, z: float = Z95) -> Interval:
    """Return a proportion with Wilson's score interval (Wilson 1927). ``z``: the normal quantile of its level."""
    p = successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    # At 0 of n and n of n the bound is exactly 0 or 1; rounding must not move it.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(p, low, high, n)


def z_of_all(looked_at: int) -> float:
    """Return the normal quantile with which ``looked_at`` intervals hold all at once with 95 % (Bonferroni)."""
    if looked_at == 1:
        return Z95
    return NormalDist().inv_cdf(1 - 0.025 / looked_at)


def share_of(share: Interval, looked_at: int) -> Interval:
    """Return the same ``share`` with Wilson's interval that holds for ``looked_at`` shares at once."""
    if looked_at == 1:
        return share
    return wilson(round(share.value * share.n), share.n, z_of_all(looked_at))


def difference(first: Interval, second: Interval) -> Interval:
    """Return ``first - second`` of two independent proportions: Newcombe's hybrid score interval (Newcombe 1998, method
    10). ``n`` is the smaller of the two."""
    d = first.value - second.value
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    return Interval(d, d - below, d + above, min(first.n, second.n))


def paired_difference(both: int, first: int, second: int, neither: int, z: float = Z95) -> Interval:
    """Return the difference of two shares of the same images, by how many were hit in both, in the first or the second
    alone, and in neither: Newcombe's interval for paired proportions (Newcombe 1998b, method 10), with his correction
    of their correlation. ``z``: the normal quantile of its level."""
    n = both + first + second + neither
    one, other = wilson(both + first, n, z), wilson(both + second, n, z)
    product = both * neither - first * second
    corrected = max(product - n / 2, 0) if product > 0 else product
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    phi = corrected / math.sqrt(margins) if margins else 0.0
    d = (first - second) / n
    below = _together(one.value - one.low, other.high - other.value, phi)
    above = _together(one.high - one.value, other.value - other.low, phi)
    return Interval(d, d - below, d + above, n)


def _together(one: float, other: float, phi: float) -> float:
    """The error of a difference of two estimates whose errors are correlated by ``phi``."""
    return math.sqrt(max(0.0, one**2 - 2 * phi * one * other + other**2))


def ratio_of(first: Interval, second: Interval) -> Interval:
    """Return ``first / second`` of two independent estimates that are not negative; ``n`` is the first's. One of nought
    counts as a trifle, so that its bounds are still between those of the others."""
    r = max(first.value, TRIFLE) / max(second.value, TRIFLE)
    above = math.hypot(_relative(first.high, first.value), _relative(second.low, second.value))
    below = math.hypot(_relative(first.low, first.value), _relative(second.high, second.value))
    value = first.value / max(second.value, TRIFLE)
    return Interval(value, min(value, r * math.exp(-below)), r * math.exp(above), first.n)


def _relative(bound: float, value: float) -> float:
    """How far a bound is from the estimate, in the logarithm."""
    return abs(math.log(max(bound, TRIFLE) / max(value, TRIFLE)))
