"""FD and KID against closed forms and second implementations; conditions and the quick evaluation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import linalg

from sfd_core.conditions import ConditionSampler
from sfd_core.evaluation.metrics import frechet_distance, halves, kernel_distance
from sfd_core.forgetting import FixedOverride, Forget, JudgeOverride, RandomOverride
from sfd_core.recipe import Recipe

CONCEPTS = ("a", "b", "c", "d")


def normal(n: int, mean: float, scale: float, seed: int, features: int = 4) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=(n, features)) * scale + mean).astype(np.float32)


def test_fd_of_two_gaussians_is_the_closed_form() -> None:
    """|m1 - m2|^2 + sum (s1 - s2)^2 for diagonal covariances."""
    found = frechet_distance(normal(40_000, 0.0, 1.0, 0), normal(40_000, 1.0, 2.0, 1))
    assert found == pytest.approx(4 * 1.0 + 4 * 1.0, rel=0.03)


def test_fd_against_a_second_implementation() -> None:
    a, b = normal(300, 0.0, 1.0, 2), normal(200, 0.3, 1.5, 3)
    root = linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
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


def sampler(*forget: Forget, **recipe: float) -> ConditionSampler:
    return ConditionSampler(forget, CONCEPTS, Recipe(**recipe), torch.device("cpu"))  # type: ignore[arg-type]


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
    o = s.overrides(torch.tensor([0, 1, 2, 3]), torch.zeros(4, 1, 1, 1), None, seeded())
    assert o.tolist() == [2, 3, 2, 3]


def test_a_random_override_is_any_remaining_concept_equally_often() -> None:
    s = sampler(Forget("a", RandomOverride()), Forget("b", FixedOverride("d")))
    o = s.overrides(torch.zeros(3000, dtype=torch.long), torch.zeros(3000, 1, 1, 1), None, seeded())
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
    assert s.overrides(torch.tensor([0, 0, 1, 2]), f_psi, judge, seeded()).tolist() == [3, 2, 3, 2]


def test_an_override_by_the_judge_needs_one() -> None:
    with pytest.raises(ValueError, match="needs a judge"):
        sampler(Forget("a", JudgeOverride())).overrides(torch.tensor([0]), torch.zeros(1, 1, 1, 1), None, seeded())


def test_with_nothing_forgotten_every_concept_is_asked_for_as_itself() -> None:
    s = sampler(batch=400)
    drawn = s.draw(seeded())
    assert set(drawn.c.tolist()) == {0, 1, 2, 3}
    assert torch.equal(s.overrides(drawn.c, torch.zeros(400, 1, 1, 1), None, seeded()), drawn.c)
    assert set(drawn.w.tolist()) == {1.0}
