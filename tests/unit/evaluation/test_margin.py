"""The margin of a run's own checks: held to draws of what a check and a report would see of the same network."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache, partial
from statistics import NormalDist

import numpy as np
import pytest

from benchmarks.shared.drawn_evidence import World, evidence_of, joined, parts_of, rows, world
from sfd_core.evaluation.criteria import CRITERIA, complete, retained_accuracy_drop, unlearning_accuracy
from sfd_core.evaluation.evaluate import Measurement
from sfd_core.evaluation.intervals import Interval, wilson
from sfd_core.evaluation.margin import CHANCE, margin, missing, quantile, widening
from sfd_core.evaluation.reference import Reference, ReferenceSet
from sfd_core.evaluation.verdict import Criterion, at_least, at_most
from sfd_core.request.evaluation_plan import EvaluationPlan

CHECKS = 10
DRAWS = 400
ACCEPTED = 0.07
"""Share of runs that end with a report which does not pass, with what 400 draws may differ by."""


def passes(judge: Callable[[float], Criterion], threshold: float, name: str, share: float, check: int) -> bool:
    """One criterion of a check: at the request's threshold, then at the one that lies further."""
    first, spec = judge(threshold), CRITERIA[name]
    further = margin(first, spec, widening(share, quantile(check)))
    return first.decision == judge(threshold + (further if spec.at_least else -further)).decision == "pass"


def test_the_chances_of_all_checks_together_are_the_whole() -> None:
    chances = [1 - NormalDist().cdf(quantile(check)) for check in range(1, 20_000)]
    assert chances == sorted(chances, reverse=True)
    assert 0.999 * CHANCE < sum(chances) < CHANCE


@pytest.mark.parametrize(("share", "z"), [(1.0, 1.9), (0.4, 2.4), (0.1, 3.0)])
def test_a_figure_at_the_margin_passes_the_report_as_often_as_it_says(share: float, z: float) -> None:
    """Two figures of one normal quantity, of n and of share n images: where the check's lies just at its margin, the
    truth is as likely on either side of it, and the report's lower end reaches the threshold with probability
    Phi(z). One whose interval holds for nine at once is wider, by what it says."""
    assert widening(share, z, 9) - np.sqrt(share) == pytest.approx(
        (widening(share, z) - np.sqrt(share)) * 1.96 / 2.773, rel=1e-3
    )
    rng = np.random.default_rng(0)
    error, threshold = 0.01, 0.9
    check_error = error / np.sqrt(share)
    check = threshold + widening(share, z) * 1.959964 * check_error
    truths = check + check_error * rng.normal(size=400_000)
    lower_ends = truths + error * rng.normal(size=400_000) - 1.959964 * error
    assert (lower_ends >= threshold).mean() == pytest.approx(NormalDist().cdf(z), abs=0.002)


@pytest.mark.parametrize("rate", [0.002, 0.0035, 0.005, 0.008])
def test_checking_again_and_again_does_not_end_runs_whose_report_fails(rate: float) -> None:
    """Unlearning accuracy, 0.99 of 2000 images, by a network that does not get better: ten checks of other images
    each."""
    rng, n = np.random.default_rng(round(1e6 * rate)), 2000
    wrong = 0
    for _ in range(DRAWS):
        seen = rng.binomial(n, rate, CHECKS)
        ended = any(
            passes(lambda t, s=s: unlearning_accuracy.judge("a", n - s, n, t), 0.99, "unlearning_accuracy", 1.0, k)  # type: ignore[misc]
            for k, s in enumerate(seen, start=1)
        )
        report = unlearning_accuracy.judge("a", n - rng.binomial(n, rate), n, 0.99)
        wrong += ended and report.decision != "pass"
    assert wrong / DRAWS <= ACCEPTED


def test_of_networks_that_get_better_hardly_any_ends_too_soon() -> None:
    rng, n, wrong = np.random.default_rng(0), 2000, 0
    for _ in range(DRAWS):
        for check in range(1, CHECKS + 1):
            rate = 0.05 * np.exp(-check / 2)
            seen = int(rng.binomial(n, rate))
            judge = partial(unlearning_accuracy.judge, "a", n - seen, n)
            if passes(judge, 0.99, "unlearning_accuracy", 1.0, check):
                report = unlearning_accuracy.judge("a", n - rng.binomial(n, rate), n, 0.99)
                wrong += report.decision != "pass"
                break
    assert wrong / DRAWS <= 0.02


@pytest.mark.parametrize("drop", [0.02, 0.03, 0.04])
def test_nor_by_the_retained_accuracy_of_fewer_images(drop: float) -> None:
    rng, base = np.random.default_rng(round(1e4 * drop)), wilson(7874, 9000)
    wrong = 0
    for _ in range(DRAWS):
        right = rng.binomial(1800, base.value - drop, CHECKS)
        ended = any(
            passes(
                lambda t, r=r: retained_accuracy_drop.judge(base, wilson(int(r), 1800), t),  # type: ignore[misc]
                0.05,
                "retained_accuracy_drop",
                0.4,
                k,
            )
            for k, r in enumerate(right, start=1)
        )
        final = wilson(int(rng.binomial(4500, base.value - drop)), 4500)
        wrong += ended and retained_accuracy_drop.judge(base, final, 0.05).decision != "pass"
    assert wrong / DRAWS <= ACCEPTED


def test_without_the_margin_it_would() -> None:
    """A network of which the report passes in one of four: some of ten checks passes nearly always."""
    rng, n, rate = np.random.default_rng(0), 2000, 0.007
    wrong = 0
    for _ in range(300):
        looks = [unlearning_accuracy.judge("a", n - s, n, 0.99).decision for s in rng.binomial(n, rate, CHECKS)]
        wrong += looks.count("pass") > 0 and (
            unlearning_accuracy.judge("a", n - rng.binomial(n, rate), n, 0.99).decision != "pass"
        )
    assert wrong / 300 > 0.5


def test_a_network_that_has_forgotten_passes_an_early_check() -> None:
    rng, n, rate = np.random.default_rng(0), 2000, 0.0005
    first = [
        passes(lambda t, s=s: unlearning_accuracy.judge("a", n - s, n, t), 0.99, "unlearning_accuracy", 1.0, 1)  # type: ignore[misc]
        for s in rng.binomial(n, rate, 500)
    ]
    assert np.mean(first) > 0.95


def test_a_margin_is_on_the_side_of_the_interval_that_decides() -> None:
    measured = Interval(0.5, 0.4, 0.7, 10)
    least = at_least("unlearning_accuracy", measured, 0.1, "")
    most = at_most("retained_accuracy_drop", measured, 0.9, "", "")
    assert margin(least, CRITERIA["unlearning_accuracy"], 3.0) == pytest.approx(0.2)
    assert margin(most, CRITERIA["retained_accuracy_drop"], 3.0) == pytest.approx(0.4)
    assert margin(least, CRITERIA["unlearning_accuracy"], 0.5) == 0.0


REPORT = EvaluationPlan()
EASY = {"retained_accuracy_drop": 0.2, "worst_concept_loss": 1.0, "coverage_ratio": 0.0, "distinct_images": 0.0}


@cache
def of_images(wrong_by_the_first: int, wrong_by_the_second: int) -> Measurement:
    """The base model's own images, half as the reference and half as a generator's that has forgotten but for so many
    of its 2000, as each judge sees them."""
    of, rng = world("fashion"), np.random.default_rng(1)
    orders = [rng.permutation(1000) for _ in of.model.concepts]
    parts = [of.reference.base_model.only([label]) for label in range(len(orders))]
    reference = Reference(of.reference.real, joined([rows(p, o[:500]) for p, o in zip(parts, orders, strict=True)]))
    pools = [rows(p, o[500:]) for p, o in zip(parts, orders, strict=True)]
    pools[of.forgotten] = forgotten(of, pools[of.override], wrong_by_the_first, wrong_by_the_second)
    evidence = evidence_of(of, reference, pools, EASY)
    parts, limits = parts_of(evidence), complete(EASY)
    criteria = [one for name, spec in CRITERIA.items() for one in spec.decide(parts, evidence, limits[name])]
    return Measurement(parts, tuple(criteria), evidence.judgements, evidence.evaluators, evidence)


def forgotten(of: World, override: ReferenceSet, first: int, second: int) -> ReferenceSet:
    images = rows(override, np.arange(2000) % len(override.labels))
    seen, second_seen = (np.full(2000, of.override) for _ in range(2))
    seen[:first], second_seen[:second] = of.forgotten, of.forgotten
    return dataclasses.replace(images, seen=seen, second_seen=second_seen)


def test_what_passes_clearly_lacks_nothing() -> None:
    assert missing(of_images(0, 0), REPORT, REPORT, 1) == ()


def test_what_only_just_passes_lacks_a_margin_and_what_fails_is_said() -> None:
    narrow, failed = of_images(9, 0), of_images(200, 0)
    assert narrow.verdict == "pass"
    (said,) = missing(narrow, REPORT, REPORT, 1)
    assert said.startswith("within the margin of a check: unlearning accuracy of Sneaker is 99.55")
    (said,) = missing(failed, REPORT, REPORT, 1)
    assert said.startswith("unlearning accuracy of Sneaker is 90")


def test_the_second_judge_must_clear_the_margin_too() -> None:
    narrow = of_images(0, 10)
    assert narrow.verdict == "pass"
    assert len(missing(narrow, REPORT, REPORT, 1)) == 1


def test_later_checks_ask_for_more() -> None:
    found = of_images(4, 0)
    assert [bool(missing(found, REPORT, REPORT, check)) for check in (1, 3, 20)] == [False, True, True]


def test_a_threshold_that_asks_for_nothing_has_no_margin() -> None:
    """Two images of each concept would make any margin a wide one."""
    assert EASY["worst_concept_loss"] == CRITERIA["worst_concept_loss"].high
    assert missing(of_images(0, 0), EvaluationPlan(500, 2000), REPORT, 1000) == ()


@pytest.mark.parametrize(("chance_of_a", "lacks"), [(0.99, 0), (0.86, 1)])
def test_a_concept_that_is_looked_at_only_under_the_moved_threshold_is_not_the_reports(
    monkeypatch: pytest.MonkeyPatch, chance_of_a: float, lacks: int
) -> None:
    """Of two concepts the judge may see the second too seldom for the request's threshold and often enough for a
    check's."""
    spec = CRITERIA["paraphrase_accuracy"]

    def decide(parts: object, evidence: object, threshold: float) -> list[Criterion]:
        of_a = at_least(spec.name, Interval(chance_of_a, chance_of_a - 0.01, 1.0, 120), threshold, "a is gone", "a")
        of_b = at_least(spec.name, Interval(0.88, 0.8, 0.9, 120), threshold, "b is gone", "b")
        return [of_a] if threshold == 0.85 else [of_a, of_b]

    judged = dataclasses.replace(spec, decide=decide)
    monkeypatch.setattr("sfd_core.evaluation.margin.CRITERIA", {spec.name: judged})
    found = of_images(0, 0)
    measured = dataclasses.replace(found, criteria=tuple(decide(found.parts, found.evidence, 0.85)))
    said = missing(measured, REPORT, REPORT, 1)
    assert len(said) == lacks
    assert all("a is gone" in one for one in said)
