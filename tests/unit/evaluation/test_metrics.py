"""Every metric against a closed form or a second implementation; conditions of a batch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from sfd_core.evaluation.metrics import (
    InceptionScore,
    PrecisionRecall,
    frechet_distance,
    frechet_interval,
    halves,
    inception_score,
    interval_needs,
    kernel_distance,
    precision_recall,
)
from sfd_core.families.class_conditions import class_conditions
from sfd_core.request.concepts import Forget
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.overrides.judge import JudgeOverride
from sfd_core.request.overrides.random import RandomOverride
from sfd_core.request.recipe import Recipe
from sfd_core.training.conditions import ConditionSampler
from tests.support.by_mpmath import student_quantile, trace_of_root

CONCEPTS = ("a", "b", "c", "d")


def normal(n: int, mean: float, scale: float, seed: int, features: int = 4) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=(n, features)) * scale + mean).astype(np.float32)


def test_fd_of_two_gaussians_is_the_closed_form() -> None:
    """|m1 - m2|^2 + sum (s1 - s2)^2 for diagonal covariances."""
    found = frechet_distance(normal(40_000, 0.0, 1.0, 0), normal(40_000, 1.0, 2.0, 1))
    assert found == pytest.approx(4 * 1.0 + 4 * 1.0, rel=0.03)


def test_fd_against_a_second_implementation() -> None:
    a, b = normal(300, 0.0, 1.0, 2), normal(200, 0.3, 1.5, 3)
    root = trace_of_root(np.cov(a.T) @ np.cov(b.T))
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(np.cov(a.T) + np.cov(b.T)) - 2 * root
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-4)


def test_fd_of_a_set_with_itself_is_nothing() -> None:
    a = normal(500, 0.0, 1.0, 4)
    assert frechet_distance(a, a) == pytest.approx(0.0, abs=1e-4)


def test_fd_refuses_fewer_images_than_features() -> None:
    with pytest.raises(ValueError, match="4 samples images for 4 features"):
        frechet_distance(normal(100, 0, 1, 0), normal(4, 0, 1, 1))


def test_kid_against_a_second_implementation() -> None:
    """The unbiased MMD^2 with k(x, y) = (x.y / F + 1)^3; subsets of all images are the whole sets."""
    a, b = normal(60, 0.0, 1.0, 5).astype(np.float64), normal(60, 0.5, 1.0, 6).astype(np.float64)

    def k(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / x.shape[1] + 1) ** 3

    n = len(a)
    within = sum((k(x, x).sum() - np.trace(k(x, x))) / (n * (n - 1)) for x in (a, b))
    expected = within - 2 * k(a, b).mean()
    found = kernel_distance(a.astype(np.float32), b.astype(np.float32))
    assert found.mean == pytest.approx(expected, rel=1e-3)
    assert found.std == pytest.approx(0.0, abs=1e-4)


def test_kid_is_seeded_and_leaves_the_global_generator_alone() -> None:
    a, b = normal(900, 0.0, 1.0, 7), normal(900, 0.1, 1.0, 8)
    before = torch.get_rng_state()
    assert kernel_distance(a, b) == kernel_distance(a, b)
    assert torch.equal(before, torch.get_rng_state())


def test_halves_share_nothing() -> None:
    rows = np.arange(100, dtype=np.float32)[:, None]
    first, second = halves(rows)
    assert len(first) == len(second) == 50
    assert not set(first[:, 0]) & set(second[:, 0])


def test_an_interval_holds_the_distance_itself_and_its_images() -> None:
    a, b = normal(400, 0.0, 1.0, 9), normal(300, 0.4, 1.2, 10)
    found = frechet_interval(a, b)
    assert found.value == frechet_distance(a, b)
    assert found.low < found.value < found.high
    assert found.n == 300


def test_an_interval_against_the_jackknife_written_out() -> None:
    """Leave every 20th image out, 20 times, with the other implementation of FD."""
    a, b = normal(250, 0.0, 1.0, 11), normal(203, 0.3, 1.5, 12) + 50
    without = [frechet_distance(a, np.delete(b, np.s_[g::20], axis=0)) for g in range(20)]
    se = np.sqrt(19 / 20 * np.square(without - np.mean(without)).sum())
    found = frechet_interval(a, b)
    assert found.high - found.value == pytest.approx(student_quantile(0.975, 19) * se, rel=1e-4)


def test_an_interval_covers_the_distance_at_its_n_as_often_as_it_says() -> None:
    """200 seeded sets of 100 images; the truth is the mean of FD at this n. 95 % of 200 is 190, one deviation is 3."""
    reference = normal(4000, 0.0, 1.0, 13, features=2)
    found = [frechet_interval(reference, normal(100, 0.7, 1.3, 1000 + i, features=2)) for i in range(200)]
    truth = np.mean([f.value for f in found])
    covered = sum(f.low <= truth <= f.high for f in found)
    assert 179 <= covered <= 198


def test_an_interval_narrows_with_the_square_root_of_n() -> None:
    reference = normal(4000, 0.0, 1.0, 14)

    def width(n: int) -> float:
        intervals = [frechet_interval(reference, normal(n, 0.7, 1.3, 2000 + i)) for i in range(20)]
        return float(np.mean([i.high - i.low for i in intervals]))

    assert width(200) / width(3200) == pytest.approx(4, rel=0.15)


def test_an_interval_of_a_set_with_itself_does_not_fall_below_nothing() -> None:
    a = normal(500, 0.0, 1.0, 15)
    assert frechet_interval(a, a).low == 0.0


def test_an_interval_holds_for_features_of_low_rank() -> None:
    """A judge's dead feature is constant: its covariance is singular, and the distance is still a number."""
    a, b = normal(200, 0.0, 1.0, 16), normal(200, 0.5, 1.0, 17)
    a[:, 2] = b[:, 2] = 1.0
    found = frechet_interval(a, b)
    assert np.isfinite([found.low, found.high]).all()
    assert found.value == pytest.approx(frechet_distance(a[:, [0, 1, 3]], b[:, [0, 1, 3]]), rel=1e-4)


def test_an_interval_refuses_images_that_are_too_few_without_one_group() -> None:
    assert interval_needs(20) == 23
    frechet_interval(normal(100, 0, 1, 0, features=20), normal(23, 0, 1, 1, features=20))
    with pytest.raises(ValueError, match=r"without one group of 20 there are 20, .* 23 are needed"):
        frechet_interval(normal(100, 0, 1, 0, features=20), normal(22, 0, 1, 1, features=20))


@pytest.mark.parametrize("metric", [frechet_distance, frechet_interval, precision_recall])
def test_sets_that_do_not_fit_are_refused(metric: Callable[[np.ndarray, np.ndarray], object]) -> None:
    with pytest.raises(ValueError, match=r"one F, not \(50, 4\) and \(50, 3\)"):
        metric(normal(50, 0, 1, 0, features=4), normal(50, 0, 1, 1, features=3))
    broken = normal(50, 0, 1, 1)
    broken[7, 2] = np.nan
    with pytest.raises(ValueError, match="samples features hold a number that is not finite"):
        metric(normal(50, 0, 1, 0), broken)


def test_precision_and_recall_of_known_sets() -> None:
    """Neighbours on a line are 1 apart, so with k = 1 every ball has radius 1."""
    line = np.arange(10, dtype=np.float32)[:, None]
    far = line + np.where(line >= 5, 100, 0.5).astype(np.float32)  # half of them lie between real ones, half nowhere
    found = precision_recall(line, far, k=1)
    assert found.precision == 0.5
    # The samples 0.5..4.5 reach 0..5 with radius 1; the other five lie beyond 100.
    assert found.recall == 0.6
    assert precision_recall(line, line, k=1) == PrecisionRecall(1.0, 1.0)
    assert precision_recall(line, line + 1000, k=1) == PrecisionRecall(0.0, 0.0)


def test_a_collapsed_generator_is_precise_and_recalls_nothing() -> None:
    """Samples of one mode of two: all precise, half recalled. Exchanged arguments would report the reverse."""
    rng = np.random.default_rng(18)
    modes = np.concatenate([rng.normal(0, 1, (300, 2)), rng.normal(50, 1, (300, 2))]).astype(np.float32)
    one = rng.normal(0, 0.9, (600, 2)).astype(np.float32)
    found = precision_recall(modes, one)
    assert found.precision > 0.95
    assert 0.4 < found.recall < 0.5


def test_a_constant_image_recalls_nothing() -> None:
    assert precision_recall(normal(300, 0, 1, 19), np.zeros((300, 4), np.float32)).recall == 0.0


def test_precision_and_recall_against_a_second_implementation() -> None:
    """All distances at once; sets larger than a block of rows."""
    a, b = normal(1200, 0.0, 1.0, 20), normal(1200, 0.5, 1.4, 21)

    def apart(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.linalg.norm(x[:, None].astype(np.float64) - y, axis=2)

    def inside(points: np.ndarray, manifold: np.ndarray) -> float:
        radii = np.sort(apart(manifold, manifold), axis=1)[:, 3]
        return float((apart(points, manifold) <= radii).any(1).mean())

    found = precision_recall(a, b)
    assert found == PrecisionRecall(inside(b, a), inside(a, b))
    assert 0.1 < found.precision < found.recall <= 1


def test_precision_and_recall_use_as_many_images_on_both_sides() -> None:
    """Balls shrink as a set grows: three times the reference would lower precision by itself."""
    a, b = normal(900, 0.0, 1.0, 22), normal(300, 0.0, 1.0, 23)
    assert precision_recall(a, b) == precision_recall(a, b)
    assert precision_recall(a, b).precision == pytest.approx(precision_recall(a[:300], b).precision, abs=0.06)


def test_precision_and_recall_refuse_fewer_images_than_neighbours() -> None:
    with pytest.raises(ValueError, match="k = 3 nearest neighbours need from 4 images a side, not 3"):
        precision_recall(normal(50, 0, 1, 0), normal(3, 0, 1, 1))


def test_inception_score_closed_forms() -> None:
    """Sure and balanced: K. The same answer for all: 1."""
    sure = np.eye(5, dtype=np.float32)[np.arange(1000) % 5]
    # Splits are shuffled, so each holds the classes only nearly in equal shares.
    assert inception_score(sure, splits=2).mean == pytest.approx(5, rel=0.01)
    assert inception_score(np.full((100, 5), 0.2, np.float32)) == InceptionScore(pytest.approx(1), pytest.approx(0))
    assert inception_score(sure[:1].repeat(100, 0)).mean == pytest.approx(1)


def test_inception_score_of_one_split_written_out() -> None:
    """exp(mean KL) of two halves; the halves are of the same rows, so the shuffle does not matter."""
    p = np.random.default_rng(24).dirichlet(np.ones(4), 1).repeat(40, 0).astype(np.float32)
    q = np.tile(np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.1, 0.7]], np.float32), (20_000, 1))
    marginal = q.mean(0)
    expected = np.exp((q * np.log(q / marginal)).sum(1).mean())
    assert inception_score(q).mean == pytest.approx(expected, rel=1e-3)
    assert inception_score(p).mean == pytest.approx(1, abs=1e-6)


def test_inception_score_is_seeded_and_leaves_the_global_generator_alone() -> None:
    p = np.random.default_rng(25).dirichlet(np.ones(4), 500).astype(np.float32)
    before = torch.get_rng_state()
    assert inception_score(p) == inception_score(p)
    assert torch.equal(before, torch.get_rng_state())


def test_inception_score_refuses_what_is_no_probability_and_too_few_images() -> None:
    with pytest.raises(ValueError, match="must be probabilities"):
        inception_score(normal(100, 0, 1, 0))
    with pytest.raises(ValueError, match="10 splits of 9 images"):
        inception_score(np.full((9, 2), 0.5, np.float32))


def sampler(*forget: Forget, **recipe: float) -> ConditionSampler:
    table = class_conditions(forget, CONCEPTS)
    return ConditionSampler(table, Recipe(**recipe), torch.device("cpu"))  # type: ignore[arg-type]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_batch_holds_its_share_of_forgotten_conditions_with_their_weight() -> None:
    drawn = sampler(Forget("b", FixedOverride("c")), batch=64, forgotten_share=0.25, forget_weight=0.3).draw(seeded())
    forgotten = drawn.c == 1
    assert int(forgotten.sum()) == 16
    assert torch.allclose(drawn.w[forgotten], torch.tensor(0.3))
    assert set(drawn.w[~forgotten].tolist()) == {1.0}
    assert set(drawn.c[~forgotten].tolist()) == {0, 2, 3}


def test_each_forgotten_concept_has_its_own_override() -> None:
    s = sampler(Forget("a", FixedOverride("c")), Forget("b", FixedOverride("d")))
    o = s.overrides(torch.tensor([0, 1, 2, 3]), seeded())
    assert o.tolist() == [2, 3, 2, 3]


def test_a_random_override_is_any_remaining_concept_equally_often() -> None:
    s = sampler(Forget("a", RandomOverride()), Forget("b", FixedOverride("d")))
    o = s.overrides(torch.zeros(3000, dtype=torch.long), seeded())
    counts = torch.bincount(o, minlength=4).tolist()
    assert counts[:2] == [0, 0]
    # 1500 expected of each; five standard deviations
    assert abs(counts[2] - 1500) < 5 * np.sqrt(3000 / 4)


def test_the_judge_chooses_among_the_remaining_only() -> None:
    s = sampler(Forget("a", JudgeOverride()), Forget("b", FixedOverride("d")))

    def judge(x: torch.Tensor) -> torch.Tensor:
        # It sees the forgotten concepts best; of the remaining, d where the image is bright, else c.
        bright = x.mean((1, 2, 3))
        return torch.stack([torch.full_like(bright, 9.0), torch.full_like(bright, 8.0), -bright, bright], dim=1)

    f_psi = torch.tensor([1.0, -1.0, 1.0, 1.0]).view(4, 1, 1, 1)
    c = torch.tensor([0, 0, 1, 2])
    assert s.chosen(c, s.overrides(c, seeded()), f_psi, judge).tolist() == [3, 2, 3, 2]


def test_an_override_by_the_judge_needs_one() -> None:
    with pytest.raises(ValueError, match="needs a judge"):
        sampler(Forget("a", JudgeOverride())).chosen(*torch.zeros(2, 1).long(), torch.zeros(1, 1, 1, 1), None)


def test_with_nothing_forgotten_every_concept_is_asked_for_as_itself() -> None:
    s = sampler(batch=400)
    drawn = s.draw(seeded())
    assert set(drawn.c.tolist()) == {0, 1, 2, 3}
    assert torch.equal(s.overrides(drawn.c, seeded()), drawn.c)
    assert set(drawn.w.tolist()) == {1.0}
