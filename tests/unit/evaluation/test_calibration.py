"""Why no drop is corrected by what the judges confuse on real images: the figures that docs/adr/0015 names, counted
again from the bundled reference."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.shared.drawn_evidence import world
from sfd_core.evaluation.reference import ReferenceSet

Matrix = NDArray[np.float64]


def confusion(labels: NDArray[np.int64], seen: NDArray[np.int64]) -> Matrix:
    """Rows: what the images are of; columns: the share in which each concept is seen."""
    rows = [np.bincount(seen[labels == label], minlength=10)[:10] for label in range(10)]
    return np.array([row / row.sum() for row in rows])


def corrected(seen: Matrix, real: Matrix) -> float:
    """The share of images that are of the concept asked for, if the judge errs on them as on real ones: seen = T C."""
    return float(np.diag(seen @ np.linalg.inv(real)).mean())


def wrong_where_the_other_is_right(part: ReferenceSet) -> float:
    """How often the first judge does not see what was asked where the second does."""
    assert part.second_seen is not None
    right = part.second_seen == part.labels
    return float((part.seen[right] != part.labels[right]).mean())


def test_the_judge_errs_nearly_twice_as_often_on_the_base_models_images_as_on_real_ones() -> None:
    reference = world("fashion").reference
    assert wrong_where_the_other_is_right(reference.real) == pytest.approx(0.026, abs=0.001)
    assert wrong_where_the_other_is_right(reference.base_model) == pytest.approx(0.051, abs=0.001)


def test_the_correction_makes_a_drop_a_tenth_larger() -> None:
    """Of images that lose: one in ten is drawn as the next concept."""
    reference = world("fashion").reference
    real, base = reference.real, reference.base_model
    worse = base.seen.copy()
    lost = np.arange(len(worse)) % 10 == 0
    worse[lost] = (base.labels[lost] + 1) % 10
    matrix = confusion(real.labels, real.seen)
    before, after = (confusion(base.labels, seen) for seen in (base.seen, worse))
    raw = float(np.diag(before).mean() - np.diag(after).mean())
    assert (corrected(before, matrix) - corrected(after, matrix)) / raw == pytest.approx(1.09, abs=0.02)


def test_it_does_not_repair_what_a_judge_that_reads_the_base_model_worse_hides() -> None:
    """In numbers that are known: the generator loses 7 of 100, the judge errs on the base model's images twice as often
    as on real ones and on the generator's, which are smoother, as on real ones. The drop is hidden corrected or not."""
    real = confusion(world("fashion").reference.real.labels, world("fashion").reference.real.seen)
    on_base = real @ real
    generator = 0.93 * np.eye(10) + 0.07 * np.roll(np.eye(10), 1, axis=1)
    seen_base, seen_generator = on_base, generator @ real
    raw = float(np.diag(seen_base).mean() - np.diag(seen_generator).mean())
    repaired = corrected(seen_base, real) - corrected(seen_generator, real)
    assert raw == pytest.approx(0.006, abs=0.001)
    assert repaired == pytest.approx(-0.003, abs=0.001)
