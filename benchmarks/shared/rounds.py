"""What is timed in turns, a round after another: a noisy machine is then noisy for all, and the ratio of two within a
round says more than either."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence

from benchmarks.shared.page import table


def seconds_of(step: Callable[[], object], count: int) -> float:
    """Take ``step`` so many times; returns the seconds of one."""
    began = time.perf_counter()
    for _ in range(count):
        step()
    return (time.perf_counter() - began) / count


def rates(heads: Sequence[str], seconds: Mapping[str, Sequence[float]], images: Mapping[str, int]) -> str:
    """Write a row for each that was timed: its name, the median of its ``seconds`` a step, and images a second of a
    step of so many ``images``."""
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    return table(heads, ((name, f"{s:.3f}", f"{images[name] / s:.1f}") for name, s in medians.items()))


def median(ratios: Sequence[float]) -> str:
    """Write the median of what the rounds gave."""
    return f"{statistics.median(ratios):.2f}"


def with_rounds(ratios: Sequence[float]) -> str:
    """Write the median, and what each round gave."""
    each = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    return f"{median(ratios)} (median of {len(ratios)} alternating rounds: {each})"
