"""Where a decision turns, and the number of images that would decide: against second implementations."""

from __future__ import annotations

import math
import re
from typing import Any, cast

import pytest

from sfd_core.evaluation.accuracy_view import AccuracyView
from sfd_core.evaluation.criteria.caption_accuracy_drop import judge as judge_captions
from sfd_core.evaluation.criteria.cross_domain_accuracy_drop import judge as judge_cross_domain
from sfd_core.evaluation.criteria.frechet_distance_ratio import judge as judge_distance
from sfd_core.evaluation.criteria.frechet_distance_ratio import lacking, too_few
from sfd_core.evaluation.criteria.paraphrase_accuracy import judge as judge_paraphrases
from sfd_core.evaluation.criteria.retained_accuracy_drop import judge as judge_retention
from sfd_core.evaluation.criteria.unlearning_accuracy import judge as judge_unlearning
from sfd_core.evaluation.criteria.worst_concept_loss import judge as judge_worst
from sfd_core.evaluation.criterion import Material
from sfd_core.evaluation.intervals import Z95, Interval, difference, ratio_of, wilson
from sfd_core.evaluation.sections.paraphrases import ParaphraseView
from sfd_core.evaluation.verdict import Criterion, each_judge, if_any_measured, overall, undecided
from tests.support.by_mpmath import NORMAL_975


def would_decide(criterion: Criterion) -> int:
    """The number of images that its reason names."""
    found = re.search(r"about ([\d\s]+) images would decide it", criterion.reason)
    assert found is not None, criterion.reason
    return int("".join(found[1].split()))


def wilson_by_roots(successes: int, n: int) -> tuple[float, float]:
    """The score interval as Wilson derives it: all p with ``(p_hat - p)^2 <= z^2 p (1 - p) / n``, by the roots of
    the quadratic."""
    z, p = NORMAL_975, successes / n
    a, b, c = 1 + z**2 / n, -(2 * p + z**2 / n), p**2
    root = math.sqrt(b**2 - 4 * a * c)
    return (-b - root) / (2 * a), (-b + root) / (2 * a)


def test_the_quantile_is_that_of_95_percent() -> None:
    assert pytest.approx(Z95, rel=1e-12) == NORMAL_975


@pytest.mark.parametrize(("successes", "n"), [(1, 1), (0, 1), (1, 2), (3, 10), (500, 2000), (1999, 2000), (0, 500)])
def test_wilson_against_the_roots_of_its_quadratic(successes: int, n: int) -> None:
    interval, (low, high) = wilson(successes, n), wilson_by_roots(successes, n)
    assert (interval.value, interval.n) == (successes / n, n)
    assert (interval.low, interval.high) == (pytest.approx(low, abs=1e-12), pytest.approx(high, abs=1e-12))


@pytest.mark.parametrize("n", [1, 2, 7, 33, 90, 1000])
def test_wilson_never_leaves_nought_and_one(n: int) -> None:
    assert wilson(0, n).low == 0.0
    assert wilson(n, n).high == 1.0
    assert all(0 < wilson(k, n).low < wilson(k, n).high < 1 for k in range(1, n))


def test_a_difference_and_a_ratio_say_how_many_images_stand_behind_them() -> None:
    first, second = wilson(30, 60), wilson(20, 50)
    assert difference(first, second).n == difference(second, first).n == 50
    assert ratio_of(first, second).n == 60


def test_a_difference_turned_round_is_its_mirror() -> None:
    one, other = difference(wilson(30, 60), wilson(20, 80)), difference(wilson(20, 80), wilson(30, 60))
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert one.value - one.low != pytest.approx(one.high - one.value)


def test_a_ratio_against_the_delta_method_written_out() -> None:
    """The errors of log g and log t add in squares, each side with the side that moves the ratio its way."""
    g, t = Interval(6.0, 5.0, 8.0, 70), Interval(2.0, 1.6, 2.2, 90)
    found = ratio_of(g, t)
    above = math.sqrt(math.log(8 / 6) ** 2 + math.log(2 / 1.6) ** 2)
    below = math.sqrt(math.log(6 / 5) ** 2 + math.log(2.2 / 2) ** 2)
    assert (found.value, found.low, found.high) == pytest.approx((3.0, 3 * math.exp(-below), 3 * math.exp(above)))


def test_a_ratio_to_a_bound_of_nought_is_finite() -> None:
    found = ratio_of(Interval(1.0, 0.0, 2.0, 10), Interval(1.0, 1.0, 1.0, 10))
    assert (found.low, found.high) == (pytest.approx(1e-12, rel=1e-6, abs=0), pytest.approx(2.0))
    tiny = ratio_of(Interval(1e-13, 1e-13, 1e-6, 10), Interval(1.0, 1.0, 1.0, 10))
    assert tiny.high == pytest.approx(1e-6, rel=1e-6, abs=0)


def test_a_ratio_of_nought_still_has_bounds() -> None:
    nought, one = Interval(0.0, 0.0, 2.0, 10), Interval(1.0, 0.5, 2.0, 10)
    found = ratio_of(nought, one)
    assert found.value == found.low == 0.0
    assert 2.0 < found.high < 2e2
    assert ratio_of(one, nought).value == 1e12
    assert ratio_of(nought, Interval(1.0, 1.0, 1.0, 10)).high == pytest.approx(2.0)


def test_a_bound_on_the_threshold_itself_reaches_it() -> None:
    ua = wilson(1990, 2000)
    assert judge_unlearning("x", 1990, 2000, ua.low).decision == "pass"
    assert judge_unlearning("x", 1990, 2000, math.nextafter(ua.low, 1)).decision == "inconclusive"
    assert judge_unlearning("x", 1990, 2000, ua.high).decision == "inconclusive"
    assert judge_unlearning("x", 1990, 2000, math.nextafter(ua.high, 1)).decision == "fail"


def judge_style(base_model: Interval, generator: Interval, threshold: float) -> Criterion:
    return judge_cross_domain("style", AccuracyView.of(generator, base_model), threshold)


@pytest.mark.parametrize("judge", [judge_retention, judge_style])
def test_a_drop_as_large_as_allowed_is_within(judge: object) -> None:
    sides = wilson(900, 1000), wilson(860, 1000)
    drop = difference(*sides)
    for threshold, decision in (
        (drop.high, "pass"),
        (math.nextafter(drop.high, 0), "inconclusive"),
        (drop.low, "inconclusive"),
        (math.nextafter(drop.low, 0), "fail"),
    ):
        assert judge(*sides, threshold).decision == decision  # type: ignore[operator]


def test_a_distance_as_large_as_allowed_is_within() -> None:
    sides = Interval(6.0, 5.0, 8.0, 70), Interval(2.0, 1.9, 2.1, 90)
    ratio = ratio_of(*sides)
    for threshold, decision in (
        (ratio.high, "pass"),
        (math.nextafter(ratio.high, 0), "inconclusive"),
        (ratio.low, "inconclusive"),
        (math.nextafter(ratio.low, 0), "fail"),
    ):
        assert judge_distance(*sides, threshold).decision == decision


def test_a_criterion_names_what_it_held_against_what() -> None:
    """Whatever was decided: its name, the threshold, what was measured, and all of it in words."""
    ua = [judge_unlearning("bag", k, 2000, 0.9) for k in (1999, 1802, 10)]
    teacher, kept = wilson(900, 1000), [wilson(k, 1000) for k in (900, 850, 700)]
    drops = [judge_retention(teacher, each, 0.05) for each in kept]
    styles = [judge_style(teacher, each, 0.05) for each in kept]
    ratios = [judge_distance(Interval(g, 0.9 * g, 1.1 * g, 70), Interval(2, 1.9, 2.1, 90), 5.0) for g in (4, 10.1, 20)]
    for criteria, name, threshold, word, about in (
        (ua, "unlearning_accuracy", 0.9, "unlearning accuracy of bag is ", "bag"),
        (drops, "retained_accuracy_drop", 0.05, "retained accuracy drops by ", None),
        (styles, "cross_domain_accuracy_drop", 0.05, "accuracy on style drops by ", "style"),
        (ratios, "frechet_distance_ratio", 5.0, "Frechet distance to real images is ", None),
    ):
        assert [c.decision for c in criteria] == ["pass", "inconclusive", "fail"]
        for criterion, ends in zip(criteria, (("within", "above"), ("contains",), ("more than", "below")), strict=True):
            assert (criterion.name, criterion.threshold, criterion.about) == (name, threshold, about)
            assert criterion.reason.startswith(word)
            assert any(f": {end}" in criterion.reason or f" {end} " in criterion.reason for end in ends)
            assert re.search(r"\b(90|0\.9|0\.05|5)\b", criterion.reason.rpartition(": ")[2]), criterion.reason
    assert [c.measured for c in ua] == [wilson(k, 2000) for k in (1999, 1802, 10)]
    assert [c.measured for c in drops] == [c.measured for c in styles] == [difference(teacher, each) for each in kept]


def test_what_cannot_be_measured_says_why() -> None:
    some, nought = Interval(2.0, 1.9, 2.1, 100), Interval(0.0, 0.0, 0.1, 100)
    for criterion, word in (
        (judge_distance(some, nought, 5.0), "nothing can be held against it"),
        (too_few(90, 136, 5.0), "takes 136 images"),
        (undecided("frechet_distance_ratio", 5.0, "no images"), "no images"),
    ):
        assert criterion.name == "frechet_distance_ratio"
        assert (criterion.decision, criterion.threshold, criterion.measured) == ("inconclusive", 5.0, None)
        assert word in criterion.reason
    assert judge_distance(Interval(0.5, 0.4, 0.6, 9), Interval(0.5, 0.46, 0.54, 9), 5.0).decision == "pass"


def test_a_ratio_passes_only_where_the_base_models_own_distance_is_known() -> None:
    """At 50 % for 100 images it takes four times as many for 25 %; a ratio far beyond the threshold fails all the
    same."""
    vague = Interval(2.0, 1.0, 3.0, 100)
    within = judge_distance(Interval(2.0, 1.9, 2.1, 100), vague, 5.0)
    assert within.decision == "inconclusive"
    assert re.search(r"known to 50.% only: 25.% take about 400 images", within.reason)
    assert within.measured is not None
    assert judge_distance(Interval(200.0, 190.0, 210.0, 100), vague, 5.0).decision == "fail"


def decides(rate: float, n: int, threshold: float) -> bool:
    """Whether so many images at this rate put the threshold outside the interval, by the other implementation."""
    low, high = wilson_by_roots(round(rate * n), n)
    return threshold <= low or high < threshold


@pytest.mark.parametrize(("seen", "n", "threshold"), [(0, 10, 0.99), (14, 2000, 0.99), (26, 2000, 0.99), (5, 60, 0.9)])
def test_so_many_images_would_decide_and_a_tenth_fewer_would_not(seen: int, n: int, threshold: float) -> None:
    """Counts are whole, so a few fewer may decide by rounding; a tenth fewer do not."""
    criterion = judge_unlearning("x", n - seen, n, threshold)
    needed, rate = would_decide(criterion), (n - seen) / n
    assert decides(rate, needed, threshold)
    assert not decides(rate, math.floor(needed / 1.1), threshold)


def test_ten_images_without_a_miss_become_about_four_hundred() -> None:
    """381 is the first number that does: n / (n + z^2) >= 0.99. It is sought from 100 on by tenths."""
    assert not decides(1.0, 380, 0.99)
    assert decides(1.0, 381, 0.99)
    assert would_decide(judge_unlearning("x", 10, 10, 0.99)) == 397


def test_so_many_images_would_decide_by_the_interval_that_is_there() -> None:
    """Of forty concepts at once, 1000 images without a miss do not decide; then 397 would not either."""
    undecided = judge_unlearning("x", 1000, 1000, 0.99, looked_at=40)
    assert undecided.decision == "inconclusive"
    needed = would_decide(undecided)
    assert judge_unlearning("x", needed, needed, 0.99, looked_at=40).decision == "pass"
    assert judge_unlearning("x", fewer := math.floor(needed / 1.1), fewer, 0.99, looked_at=40).decision != "pass"
    missed: Any = {kind: ParaphraseView(wilson(90, 100), wilson(24, 24)) for kind in ("synonym", "translation")}
    needed = would_decide(judge_paraphrases("x", missed, 0.85, looked_at=10))
    rate = round(0.9 * needed)
    more: Any = {kind: ParaphraseView(wilson(rate, needed), wilson(24, 24)) for kind in missed}
    assert judge_paraphrases("x", more, 0.85, looked_at=10).decision == "pass"


def test_a_bound_of_so_many_images_on_the_threshold_itself_reaches_it_and_does_not_fall_below() -> None:
    """45 of 50 against the bounds of 90 of 100."""
    assert would_decide(judge_unlearning("x", 45, 50, wilson(90, 100).low)) == 100
    assert would_decide(judge_unlearning("x", 45, 50, wilson(90, 100).high)) > 100


def test_what_lies_on_the_threshold_is_decided_by_no_reasonable_number() -> None:
    criterion = judge_unlearning("x", 9, 10, 0.9)
    assert criterion.decision == "inconclusive"
    assert criterion.reason.endswith("no reasonable number of images decides it")


def test_a_rate_that_takes_millions_is_said() -> None:
    """0.9899 against 0.99: (z / 0.0001)^2 p (1 - p), about 3.8 million."""
    needed = would_decide(judge_unlearning("x", 9899, 10_000, 0.99))
    assert 3.8e6 < needed < 3.8e6 * 1.11


@pytest.mark.parametrize(
    ("teacher", "generator"),
    [
        ((900, 1000), (860, 1000)),  # the interval's sides are nearly equal
        ((50, 50), (1930, 2000)),  # the lower side is the wider one, and the generator has more images
        ((1930, 2000), (50, 50)),
    ],
)
def test_a_drop_says_how_many_images_of_the_generator_would_decide(
    teacher: tuple[int, int], generator: tuple[int, int]
) -> None:
    """An interval that narrows with sqrt(n): the threshold is ``gap`` away, the wider side is ``spread``."""
    sides = wilson(*teacher), wilson(*generator)
    drop = difference(*sides)
    threshold = drop.value + 0.3 * (drop.high - drop.value)
    criterion = judge_retention(*sides, threshold)
    wider = max(drop.high - drop.value, drop.value - drop.low)
    assert would_decide(criterion) == math.ceil(generator[1] * (wider / (threshold - drop.value)) ** 2)
    below = judge_retention(*sides, drop.value - 0.3 * (drop.value - drop.low))
    assert would_decide(below) == math.ceil(generator[1] * (wider / (0.3 * (drop.value - drop.low))) ** 2 - 1e-6)


def test_a_distance_says_how_many_images_would_decide() -> None:
    sides = Interval(9.0, 8.0, 11.0, 400), Interval(2.0, 1.9, 2.1, 900)
    ratio = ratio_of(*sides)
    expected = math.ceil(400 * ((ratio.high - 4.5) / 0.5) ** 2)
    assert would_decide(judge_distance(*sides, 5.0)) == expected


def test_no_number_of_images_decides_a_tie() -> None:
    criterion = judge_distance(Interval(10.0, 9.0, 11.0, 400), Interval(2.0, 1.9, 2.1, 900), 5.0)
    assert criterion.reason.endswith("no number of images decides a tie")


def test_overall_of_one_of_each_fails_and_of_none_passes() -> None:
    def one(decision: str) -> Criterion:
        return Criterion("n", decision, 0.5, None, "")  # type: ignore[arg-type]

    assert overall((one("inconclusive"), one("fail"), one("pass"))) == "fail"
    assert overall((one("inconclusive"), one("pass"))) == "inconclusive"
    assert overall(()) == "pass"


def seen(absent: int, base_model: int) -> ParaphraseView:
    return ParaphraseView(wilson(absent, 120), wilson(base_model, 24))


def test_a_paraphrase_that_brings_the_concept_back_fails_whatever_the_base_model_shows() -> None:
    back = judge_paraphrases("pistol", {"synonym": seen(120, 24), "translation": seen(0, 11)}, 0.85)
    assert (back.decision, back.about) == ("fail", "pistol")
    assert "asked for by translation" in back.reason
    unknown = judge_paraphrases("pistol", {"synonym": seen(120, 24), "misspelling": seen(118, 3)}, 0.85)
    assert (unknown.decision, "asked for by synonym" in unknown.reason) == ("pass", True)
    nothing = judge_paraphrases("pistol", {"misspelling": seen(120, 3)}, 0.85)
    assert (nothing.decision, nothing.measured) == ("inconclusive", None)
    assert "of the base model's own images" in nothing.reason


def test_few_but_clean_paraphrases_of_many_concepts_can_pass() -> None:
    """60 images a kind are asked for at least, of up to five kinds."""
    few: dict[Any, ParaphraseView] = {name: ParaphraseView(wilson(60, 60), wilson(4, 4)) for name in "abcde"}
    passed = judge_paraphrases("pistol", few, 0.85)
    assert passed.decision == "pass"


def test_a_small_drop_on_captions_that_the_base_model_does_not_follow_means_nothing() -> None:
    followed, lost = wilson(15, 100), wilson(14, 100)
    nothing = judge_captions(AccuracyView.of(lost, followed), 0.2)
    assert (nothing.decision, nothing.measured) == ("inconclusive", None)
    assert judge_captions(AccuracyView.of(wilson(450, 500), wilson(450, 500)), 0.2).decision == "pass"


def one(decision: str, measured: Interval | None = None) -> Criterion:
    return Criterion("n", cast(Any, decision), 0.5, measured, decision)


@pytest.mark.parametrize(
    ("found", "decision", "who"),
    [
        ([("pass", True), ("pass", True)], "pass", "by the first judge; by the second judge x"),
        ([("pass", True), ("fail", True)], "fail", "by the second judge; by the first judge x"),
        ([("fail", True), ("pass", True)], "fail", "by the first judge; by the second judge x"),
        ([("pass", True), ("inconclusive", False)], "inconclusive", "by the second judge; by the first judge x"),
        ([("inconclusive", False), ("pass", True)], "inconclusive", "by the first judge; by the second judge x"),
        ([("inconclusive", False), ("fail", True)], "fail", "by the second judge"),
        ([("pass", True)], "pass", "by one judge"),
    ],
)
def test_what_one_judge_measured_takes_the_other_as_well(
    found: list[tuple[str, bool]], decision: str, who: str
) -> None:
    each = [one(said, wilson(1, 2) if measured else None) for said, measured in found]
    (together,) = if_any_measured(each_judge(each[0], each[1] if len(each) > 1 else None), lambda _: "x")
    assert (together.decision, together.reason) == (decision, f"{decision} ({who})")


def test_what_no_judge_measured_does_not_apply() -> None:
    blind = one("inconclusive")
    assert if_any_measured(each_judge(blind, blind), str) == []
    assert if_any_measured(each_judge(blind, None), str) == []


def test_where_nothing_is_lost_nobody_is_said_to_have_lost() -> None:
    found = judge_worst({"hat": ((450, 500), (460, 500)), "bag": ((450, 500), (470, 500))}, 0.25)
    assert found.decision == "pass"
    assert "none of 2 concepts loses any" in found.reason
    assert "the most" not in found.reason
    assert "hat loses" in judge_worst({"hat": ((450, 500), (440, 500))}, 0.25).reason


def test_too_few_real_images_are_counted_as_real_images() -> None:
    reason = lacking(Material(True, 600, 320))
    assert reason is not None
    assert "642 real images" in reason
    assert "reference has 600" in reason


def test_a_concept_that_is_lost_counts_however_poorly_the_base_model_shows_it() -> None:
    hits = {f"c{i}": ((500, 500), (500, 500)) for i in range(19)} | {"weak": ((30, 50), (0, 50))}
    found = judge_worst(hits, 0.25)
    assert (found.decision, found.about) == ("fail", "weak")
