"""Metrics against second implementations where the first tests leave something open: what is drawn by seed, the
jackknife where covariances decide, and every limit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from sfd_core.evaluation import metrics
from sfd_core.evaluation.metrics import (
    PrecisionRecall,
    enough,
    frechet_distance,
    frechet_interval,
    halves,
    images_needed,
    inception_score,
    interval_needs,
    kernel_distance,
    precision_recall,
)
from tests.support.by_mpmath import student_quantile, trace_of_root

Array = NDArray[np.float32]


def normal(n: int, scale: float, seed: int, features: int = 3) -> Array:
    return (np.random.default_rng(seed).normal(size=(n, features)) * scale).astype(np.float32)


def written_distance(a: Array, b: Array) -> float:
    """Heusel's formula in float64."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    root = trace_of_root(np.cov(x.T) @ np.cov(y.T))
    means = np.square(x.mean(0) - y.mean(0)).sum()
    return float(means + np.trace(np.cov(x.T)) + np.trace(np.cov(y.T)) - 2 * root)


@pytest.mark.parametrize(("at", "scale"), [(0.0, 1.0), (0.0, 0.1), (1e5, 1.0)])
def test_a_jackknife_of_covariances_against_the_one_written_out(at: float, scale: float) -> None:
    """Sets of one mean, so that the spread of the distances is that of the covariances; far from the origin, too."""
    a, b = normal(150, scale, 1) + np.float32(at), normal(63, 1.6 * scale, 2) + np.float32(at)
    without = np.array([written_distance(a, np.delete(b, np.s_[g::20], axis=0)) for g in range(20)])
    half = student_quantile(0.975, 19) * np.sqrt(19 / 20 * np.square(without - without.mean()).sum())
    found = frechet_interval(a, b)
    assert found.value == pytest.approx(written_distance(a, b), rel=1e-3 if at else 1e-6)
    assert found.high - found.value == pytest.approx(half, rel=1e-6)
    assert found.low == pytest.approx(max(0.0, found.value - half), rel=1e-6)


def test_either_side_may_be_too_small_for_a_distance() -> None:
    for sizes, message in (((3, 50), "3 reference images for 3 features"), ((50, 3), "3 samples images for 3")):
        with pytest.raises(ValueError, match=message):
            frechet_distance(*(normal(n, 1.0, n) for n in sizes))
    assert frechet_distance(normal(4, 1.0, 1), normal(4, 1.0, 2)) > 0


@pytest.mark.parametrize("metric", [frechet_distance, precision_recall])
def test_features_are_rows(metric: object) -> None:
    rows = normal(50, 1.0, 0)
    for pair in ((rows[:, 0], rows), (rows, rows[:, 0]), (rows[None], rows)):
        with pytest.raises(ValueError, match=r"features must be \[n, F\] with one F, not"):
            metric(*pair)  # type: ignore[operator]


def test_a_kernel_distance_of_seeded_subsets_written_out() -> None:
    """50 subsets of 500 a side, drawn in turn from seed 0; the unbiased MMD of each."""
    a, b = normal(700, 1.0, 3), normal(650, 1.6, 4)
    rng = torch.Generator().manual_seed(0)

    def kernel(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        return (x @ y.T / 3 + 1) ** 3

    found = []
    for _ in range(50):
        x, y = (s[torch.randperm(len(s), generator=rng).numpy()[:500]].astype(np.float64) for s in (a, b))
        within = sum((k.sum() - np.trace(k)) / (500 * 499) for k in (kernel(x, x), kernel(y, y)))
        found.append(within - 2 * kernel(x, y).mean())
    distance = kernel_distance(a, b)
    assert distance.mean == pytest.approx(np.mean(found), rel=1e-5)
    assert distance.std == pytest.approx(np.std(found), rel=1e-3)


def test_an_inception_score_of_seeded_splits_written_out() -> None:
    p = np.random.default_rng(5).dirichlet(np.ones(4) / 2, 200).astype(np.float32)
    shuffled = p[torch.randperm(200, generator=torch.Generator().manual_seed(0)).numpy()].astype(np.float64)
    scores = []
    for part in np.split(shuffled, 5):
        divergence = part * (np.log(np.clip(part, 1e-12, None)) - np.log(part.mean(0)))
        scores.append(np.exp(divergence.sum(1).mean()))
    found = inception_score(p, splits=5)
    assert found.mean == pytest.approx(np.mean(scores), rel=1e-5)
    assert found.std == pytest.approx(np.std(scores, ddof=1), rel=1e-4)


def test_an_inception_score_takes_from_two_splits_to_one_an_image() -> None:
    p = np.full((10, 2), 0.5, np.float32)
    for splits in (2, 10):
        assert inception_score(p, splits=splits).mean == pytest.approx(1)
    for splits in (1, 11):
        with pytest.raises(ValueError, match=f"{splits} splits of 10 images: from 2 splits, at least one image in"):
            inception_score(p, splits=splits)


@pytest.mark.parametrize(
    ("row", "fits"), [((0.5, 0.5009), True), ((0.5, 0.5015), False), ((0.5, 0.4985), False), ((1.5, -0.5), False)]
)
def test_probabilities_add_up_to_one_within_a_thousandth_and_are_not_negative(
    row: tuple[float, float], fits: bool
) -> None:
    p = np.array([row] * 20, np.float32)
    if fits:
        inception_score(p)
        return
    with pytest.raises(ValueError, match="rows must be probabilities: not negative, with a sum of 1"):
        inception_score(p)


def test_so_many_images_a_distance_takes() -> None:
    """From the jackknife's need up to 1000 features, and ten thousand from 1001 on."""
    assert [images_needed(f) for f in (3, 1000, 1001, 2048)] == [5, interval_needs(1000), 10_000, 10_000]
    assert interval_needs(1000) == 1054  # 1001 are left of them without one group of 20
    assert 1054 - -(-1054 // 20) == 1001
    assert 1053 - -(-1053 // 20) == 1000


@pytest.mark.parametrize(
    ("samples", "reference", "fits"), [(5, 8, True), (4, 8, False), (5, 7, False), (5, 6, False), (4, 7, False)]
)
def test_both_sides_must_do_for_a_distance(samples: int, reference: int, fits: bool) -> None:
    """Three features take five samples, and four images in half of the reference."""
    assert enough(normal(samples, 1.0, 0), normal(reference, 1.0, 1)) is fits


def test_the_halves_of_a_set_are_seeded_and_as_large_as_each_other() -> None:
    rows = np.arange(101, dtype=np.float32)[:, None]
    first, second = halves(rows)
    order = np.random.default_rng(0).permutation(101)
    assert first[:, 0].tolist() == order[:50].tolist()
    assert second[:, 0].tolist() == order[50:100].tolist()
    assert halves(rows, 1)[0].tolist() != first.tolist()


def test_a_ball_has_its_surface() -> None:
    """Neighbours are 1 apart, so 10 lies on the ball around 9."""
    line = np.arange(10, dtype=np.float32)[:, None]
    assert precision_recall(line, line + 1, k=1).precision == 1.0
    assert precision_recall(line, line + np.float32(1.5), k=1).precision == 0.9


def test_five_thousand_images_a_side_are_used_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seen by how many get to where the distances are taken, since those would take seconds."""
    sides = []

    def none_near(manifold: Tensor, k: int) -> Tensor:
        sides.append(len(manifold))
        return torch.full((len(manifold),), -1.0)

    monkeypatch.setattr(metrics, "_radii", none_near)
    for n, used in ((5002, 5000), (5000, 5000), (4999, 4999)):
        assert precision_recall(normal(n, 1.0, 0, 1), normal(6000, 1.0, 1, 1)) == PrecisionRecall(0.0, 0.0)
        assert sides[-2:] == [used, used]


def test_which_images_are_used_is_seeded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that seed 0 leaves out may be anything."""
    monkeypatch.setattr(metrics, "MANIFOLD_IMAGES", 100)
    rows = np.arange(102, dtype=np.float32)[:, None]
    samples = rows.copy()
    samples[np.random.default_rng(0).permutation(102)[100:]] = 1e6
    assert precision_recall(rows, samples).precision == 1.0
    assert precision_recall(samples, rows).recall == 1.0


@pytest.mark.parametrize(("broken", "named"), [(0, "reference"), (1, "samples")])
def test_a_side_with_a_number_that_is_not_finite_is_named(broken: int, named: str) -> None:
    sides = [normal(50, 1.0, 0), normal(50, 1.0, 1)]
    sides[broken][7, 2] = np.inf
    with pytest.raises(ValueError, match=f"{named} features hold a number that is not finite"):
        frechet_distance(*sides)


def test_neighbours_are_fewer_than_images() -> None:
    rows = normal(4, 1.0, 0)
    precision_recall(rows, rows, k=3)
    for k in (0, 4):
        with pytest.raises(ValueError, match=f"k = {k} nearest neighbours need from {k + 1} images a side, not 4"):
            precision_recall(rows, rows, k=k)
