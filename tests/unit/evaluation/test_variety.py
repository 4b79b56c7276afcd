"""Coverage and distinct images: beside a second implementation, and on sets whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from sfd_core.evaluation.alike import alike
from sfd_core.evaluation.coverage import K, coverage, expected_coverage
from sfd_core.evaluation.distinct import distinct
from sfd_core.evaluation.metrics import JACKKNIFE_GROUPS, T95_OF_19

Array = NDArray[np.float32]


def drawn(n: int, seed: int, spread: float = 1.0) -> Array:
    return (spread * np.random.default_rng(seed).normal(size=(n, 6))).astype(np.float32)


def distance(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    return math.sqrt(sum((float(a) - float(b)) ** 2 for a, b in zip(one, other, strict=True)))


def covered_by_hand(reference: Array, samples: Array, k: int) -> int:
    """Picture by picture, as Naeem et al. define it."""
    count = 0
    for i, picture in enumerate(reference):
        radius = sorted(distance(picture, other) for j, other in enumerate(reference) if j != i)[k - 1]
        count += any(distance(picture, image) <= radius for image in samples)
    return count


def own_by_hand(base_model: Array, samples: Array) -> int:
    """Image by image: no other nearer than half of the base model's (lower) median to the nearest."""

    def nearest(images: Array) -> list[float]:
        return [min(distance(a, b) for j, b in enumerate(images) if j != i) for i, a in enumerate(images)]

    usual = sorted(nearest(base_model))[(len(base_model) - 1) // 2]
    return sum(each >= usual / 2 for each in nearest(samples))


def test_coverage_against_a_second_implementation_with_its_interval() -> None:
    sizes = ((30, 25), (20, 40))
    reference = [drawn(m, i) for i, (m, _) in enumerate(sizes)]
    samples = [drawn(n, 10 + i, spread=1.2) for i, (_, n) in enumerate(sizes)]
    found = coverage(reference, samples)

    def ratio(leave_out: int | None) -> float:
        covered, expected = 0, 0.0
        for ref, made in zip(reference, samples, strict=True):
            left = np.array([x for i, x in enumerate(made) if leave_out is None or i % JACKKNIFE_GROUPS != leave_out])
            covered += covered_by_hand(ref, left, K)
            expected += len(ref) * expected_coverage(len(ref), len(left))
        return covered / expected

    left = [ratio(g) for g in range(JACKKNIFE_GROUPS)]
    half = T95_OF_19 * math.sqrt(19 / 20 * sum((each - sum(left) / 20) ** 2 for each in left))
    assert found.ratio.value == pytest.approx(ratio(None))
    assert found.ratio.high - found.ratio.value == pytest.approx(half)
    assert found.ratio.n == 65
    assert found.covered == pytest.approx(sum(map(covered_by_hand, reference, samples, (K, K))) / 50)
    by_hand = [
        covered_by_hand(r, s, K) / len(r) / expected_coverage(len(r), len(s))
        for r, s in zip(reference, samples, strict=True)
    ]
    assert found.by_concept == pytest.approx(by_hand)


@pytest.mark.parametrize(("m", "n", "k"), [(6, 1, 5), (10, 10, 5), (10, 3, 1), (40, 200, 5)])
def test_what_is_expected_is_what_counting_orders_gives(m: int, n: int, k: int) -> None:
    """Of the m - 1 + n others of a picture any k may be the nearest; C(m - 1, k) of C(m - 1 + n, k) are pictures."""
    assert expected_coverage(m, n, k) == pytest.approx(1 - math.comb(m - 1, k) / math.comb(m - 1 + n, k))


@pytest.mark.parametrize("spread", [1.0, 7.0])
def test_images_of_the_same_distribution_cover_what_is_expected(spread: float) -> None:
    """Whatever the distribution; k = 1 and large sets among them."""
    found = [
        coverage([drawn(60, seed, spread) ** 3], [drawn(45, 100 + seed, spread) ** 3]).ratio.value for seed in range(60)
    ]
    assert np.mean(found) == pytest.approx(1, abs=3 * np.std(found) / math.sqrt(60))


def test_distinct_images_against_a_second_implementation() -> None:
    base_model, samples = [drawn(30, 1), drawn(30, 2)], [drawn(30, 3, spread=0.6), drawn(30, 4, spread=0.5)]
    found, by_concept = distinct(base_model, samples)
    by_hand = [own_by_hand(b, s) for b, s in zip(base_model, samples, strict=True)]
    assert 0 < sum(by_hand) < 60
    assert found.value == pytest.approx(sum(by_hand) / 60)
    assert by_concept == pytest.approx([each / 30 for each in by_hand])
    left = []
    for g in range(JACKKNIFE_GROUPS):
        kept = [np.array([x for i, x in enumerate(s) if i % JACKKNIFE_GROUPS != g]) for s in samples]
        left.append(sum(map(own_by_hand, base_model, kept)) / sum(map(len, kept)))
    half = T95_OF_19 * math.sqrt(19 / 20 * sum((each - sum(left) / 20) ** 2 for each in left))
    assert found.high - found.value == pytest.approx(half)


def test_how_alike_images_are_against_a_second_implementation() -> None:
    """Pair by pair; and two equally frequent pictures are worth about two."""
    base_model, samples = drawn(30, 1), drawn(40, 2, spread=0.3)
    apart = [float(np.linalg.norm(a - b)) for i, a in enumerate(base_model) for b in base_model[i + 1 :]]
    radius = 0.3 * sorted(apart)[(len(apart) - 1) // 2]
    near = [float(np.linalg.norm(a - b)) <= radius for i, a in enumerate(samples) for b in samples[i + 1 :]]
    assert 0 < sum(near) < len(near)
    assert alike([base_model], [samples]).pictures[0] == pytest.approx(len(near) / sum(near))
    two = np.repeat(drawn(2, 3, spread=5.0), 20, axis=0)
    assert alike([base_model], [two]).pictures[0] == pytest.approx(39 / 19)


def test_a_concept_of_one_picture_is_counted_and_a_varied_one_is_not() -> None:
    base_model, one = drawn(40, 1), np.repeat(drawn(1, 2), 40, axis=0)
    found = alike([base_model] * 4, [one, *(drawn(40, seed) for seed in (3, 4, 5))]).concepts
    assert (found.value, found.low, found.high, found.n) == (0.25, 0.25, 0.25, 160)


def test_a_concept_that_the_base_model_draws_in_two_ways_is_no_fault() -> None:
    """Two images are alike in half of the pairs, of both; in one picture they always are."""
    ways = np.repeat(drawn(2, 7, spread=20.0), 20, axis=0)
    base_model, same, one = ways + drawn(40, 1), ways + drawn(40, 2), np.repeat(drawn(1, 2), 40, axis=0)
    assert alike([base_model], [same]).concepts.value == 0
    assert alike([base_model], [same]).pictures[0] < 2.4
    assert alike([base_model], [one]).concepts.value == 1


def test_few_images_say_little_of_how_alike_they_are() -> None:
    found = alike([drawn(40, 1)], [np.repeat(drawn(1, 2), 3, axis=0)]).concepts
    assert (found.low, found.high) == (0.0, 1.0)
    with pytest.raises(ValueError, match="takes two of each concept"):
        alike([drawn(40, 1)], [drawn(1, 2)])


def test_pictures_again_are_not_distinct_and_others_are() -> None:
    base_model = [drawn(50, 1)]
    again = [np.repeat(drawn(25, 2), 2, axis=0)]
    assert distinct(base_model, again)[0].value == 0
    assert distinct(base_model, [drawn(50, 3)])[0].value > 0.9


def test_both_sides_are_drawn_to_equally_many() -> None:
    """Among more images the nearest is nearer: a generator of many must not look repetitive beside a base of few."""
    found = distinct([drawn(40, 1)], [drawn(4000, 2)])[0]
    assert (found.n, found.value > 0.85) == (40, True)


@pytest.mark.parametrize(
    ("reference", "samples", "said"),
    [
        ([drawn(K, 0)], [drawn(50, 1)], "more than k = 5 pictures"),
        ([drawn(50, 0)], [drawn(39, 1)], "takes 40 images, not 39"),
    ],
)
def test_too_few_for_coverage_are_refused(reference: list[Array], samples: list[Array], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        coverage(reference, samples)


@pytest.mark.parametrize(
    ("base_model", "samples", "said"),
    [
        ([drawn(50, 0), drawn(1, 2)], [drawn(50, 1), drawn(50, 3)], "two of each concept are needed"),
        ([drawn(39, 0)], [drawn(50, 1)], "takes 40 images, not 39"),
    ],
)
def test_too_few_to_tell_apart_are_refused(base_model: list[Array], samples: list[Array], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        distinct(base_model, samples)


@pytest.mark.parametrize(("m", "n"), [(5, 1), (6, 0)])
def test_what_is_expected_of_too_few_is_refused(m: int, n: int) -> None:
    with pytest.raises(ValueError, match="takes more than k = 5 pictures and an image"):
        expected_coverage(m, n)


def test_where_the_base_model_repeats_itself_the_same_image_is_still_a_repetition() -> None:
    base_model = [np.repeat(drawn(30, 1), 2, axis=0)]
    assert distinct(base_model, [np.repeat(drawn(1, 2), 60, axis=0)])[0].value == 0
    assert distinct(base_model, [drawn(60, 3)])[0].value == 1


def test_a_single_image_of_a_concept_covers_nothing_that_could_be_told() -> None:
    with pytest.raises(ValueError, match="two images of each concept"):
        coverage([drawn(10, 0)] * 45, [drawn(1, i) for i in range(45)])
