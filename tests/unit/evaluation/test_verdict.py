"""Intervals against known values, and decisions by interval, never by point estimate."""

from __future__ import annotations

import math
import random

import pytest

from sfd_core.errors import InvalidRequest
from sfd_core.evaluation.accuracy_view import AccuracyView
from sfd_core.evaluation.criteria import CRITERIA, complete
from sfd_core.evaluation.criteria.cross_domain_accuracy_drop import judge as judge_cross_domain
from sfd_core.evaluation.criteria.frechet_distance_ratio import judge as judge_distance
from sfd_core.evaluation.criteria.frechet_distance_ratio import too_few
from sfd_core.evaluation.criteria.retained_accuracy_drop import judge as judge_retention
from sfd_core.evaluation.criteria.unlearning_accuracy import judge as judge_unlearning
from sfd_core.evaluation.intervals import Interval, difference, ratio_of, wilson
from sfd_core.evaluation.verdict import Criterion, overall


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, table I
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_against_published_values(successes: int, n: int, low: float, high: float) -> None:
    interval = wilson(successes, n)
    assert (interval.low, interval.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_difference_against_published_values() -> None:
    # Newcombe 1998 (II), table II, method 10: 56/70 - 48/80 is 0.2 [0.0524, 0.3339]
    interval = difference(wilson(56, 70), wilson(48, 80))
    assert interval.value == pytest.approx(0.2)
    assert (interval.low, interval.high) == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))


def test_wilson_covers_the_truth_about_95_times_in_100() -> None:
    rng, p, n, runs = random.Random(0), 0.97, 200, 4000
    hits = 0
    for _ in range(runs):
        interval = wilson(sum(rng.random() < p for _ in range(n)), n)
        hits += interval.low <= p <= interval.high
    # three standard errors of the coverage itself, and a point for the discreteness of the counts
    assert abs(hits / runs - 0.95) < 3 * math.sqrt(0.95 * 0.05 / runs) + 0.01


def test_eleven_misses_of_two_thousand_pass_at_099_and_thirteen_do_not() -> None:
    assert judge_unlearning("x", 1989, 2000, 0.99).decision == "pass"
    assert judge_unlearning("x", 1987, 2000, 0.99).decision == "inconclusive"


def test_a_good_point_estimate_on_ten_images_is_inconclusive_and_says_how_many_it_takes() -> None:
    criterion = judge_unlearning("x", 10, 10, 0.99)
    assert criterion.decision == "inconclusive"
    assert "images would decide it" in criterion.reason


def test_nothing_unlearned_fails() -> None:
    assert judge_unlearning("x", 40, 2000, 0.99).decision == "fail"


@pytest.mark.parametrize(("kept", "decision"), [(900, "pass"), (890, "pass"), (800, "fail"), (858, "inconclusive")])
def test_retention_is_decided_by_the_interval_of_the_drop(kept: int, decision: str) -> None:
    criterion = judge_retention(wilson(9000, 10_000), wilson(kept * 4, 4000), 0.05)
    assert criterion.decision == decision


def test_a_ratio_of_exact_numbers_has_no_width() -> None:
    exactly = Interval(6.0, 6.0, 6.0, 100), Interval(2.0, 2.0, 2.0, 50)
    assert ratio_of(*exactly) == Interval(3.0, pytest.approx(3.0), pytest.approx(3.0), 100)


def test_a_ratio_covers_the_truth_about_95_times_in_100() -> None:
    rng, runs, hits, spread = random.Random(1), 4000, 0, 1.96 * 0.1
    for _ in range(runs):
        first, second = rng.gauss(4.0, 0.4), rng.gauss(2.0, 0.2)
        measured = ratio_of(
            Interval(first, first * (1 - spread), first * (1 + spread), 1),
            Interval(second, second * (1 - spread), second * (1 + spread), 1),
        )
        hits += measured.low <= 2.0 <= measured.high
    assert abs(hits / runs - 0.95) < 3 * math.sqrt(0.95 * 0.05 / runs) + 0.01


@pytest.mark.parametrize(("distance", "decision"), [(4.0, "pass"), (9.8, "inconclusive"), (15.0, "fail")])
def test_a_distance_is_decided_by_the_interval_of_its_ratio(distance: float, decision: str) -> None:
    teacher = Interval(2.0, 1.9, 2.1, 9000)
    criterion = judge_distance(Interval(distance, distance * 0.95, distance * 1.05, 4500), teacher, 5.0)
    assert criterion.decision == decision
    assert ("images would decide it" in criterion.reason) == (decision == "inconclusive")


def test_too_few_images_for_a_distance_are_inconclusive_and_make_up_no_number() -> None:
    criterion = too_few(90, 136, 5.0)
    assert (criterion.decision, criterion.measured) == ("inconclusive", None)
    assert "takes 136 images of remaining concepts, on both sides; 90 were judged" in criterion.reason


def test_distances_of_nought_make_no_error() -> None:
    nought, some = Interval(0.0, 0.0, 0.1, 100), Interval(2.0, 1.9, 2.1, 100)
    assert judge_distance(nought, some, 5.0).decision == "pass"
    assert judge_distance(some, nought, 5.0).decision == "inconclusive"


@pytest.mark.parametrize(("right", "decision"), [(2250, "pass"), (2170, "inconclusive"), (2000, "fail")])
def test_another_domain_is_decided_by_its_own_drop(right: int, decision: str) -> None:
    criterion = judge_cross_domain("style", AccuracyView.of(wilson(right, 2350), wilson(5000, 5184)), 0.05)
    assert (criterion.name, criterion.decision) == ("cross_domain_accuracy_drop", decision)
    assert criterion.reason.startswith("accuracy on style drops by ")


@pytest.mark.parametrize("value", [0, 1, -0.1])
def test_a_threshold_of_another_domain_that_decides_nothing_is_refused(value: float) -> None:
    with pytest.raises(InvalidRequest, match="/thresholds/cross_domain_accuracy_drop: must be above 0 and below 1"):
        complete({"cross_domain_accuracy_drop": value})


@pytest.mark.parametrize(("value", "fits"), [(1, False), (1.1, True), (1000, True), (1000.1, False)])
def test_a_ratio_lies_above_one_and_reaches_a_thousand(value: float, fits: bool) -> None:
    error = CRITERIA["frechet_distance_ratio"].error(value)
    assert (error is None) == fits
    if error is not None:
        assert error.message == f"must be above 1 and at most 1000, not {value}"


def test_every_wrong_threshold_is_listed_and_unknown_ones_are_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        complete({"beauty": 0.5, "unlearning_accuracy": 2, "retained_accuracy_drop": 0})
    assert [error.pointer for error in refused.value.errors] == [
        "/thresholds/beauty",
        "/thresholds/unlearning_accuracy",
        "/thresholds/retained_accuracy_drop",
    ]
    assert "known: unlearning_accuracy, many_steps_share, part_noised_excess, paraphrase_accuracy" in str(refused.value)


def test_thresholds_that_are_left_out_have_their_defaults() -> None:
    whole = complete({"unlearning_accuracy": 0.9})
    assert whole == {name: spec.default for name, spec in CRITERIA.items()} | {"unlearning_accuracy": 0.9}


def test_overall_is_as_bad_as_the_worst() -> None:
    def criterion(decision: str) -> Criterion:
        return Criterion("n", decision, 0.5, Interval(0.5, 0.4, 0.6, 10), "")  # type: ignore[arg-type]

    assert overall((criterion("pass"), criterion("pass"))) == "pass"
    assert overall((criterion("pass"), criterion("inconclusive"))) == "inconclusive"
    assert overall((criterion("inconclusive"), criterion("fail"))) == "fail"
