"""Generators made to deceive, of images of the bundled models: each must fail, on what it was made to fail on; the base
model's own images must pass. Other images in every draw: one of every row of the
table of controls and three of some, with the slow tests four and 40."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from benchmarks.shared.deceivers import blind, few, few_good, lost, moved, poorly_drawn, repeated
from benchmarks.shared.drawn_evidence import (
    HELD,
    Deceiver,
    Verdicts,
    criteria_of,
    criteria_of_drawn,
    decided,
    honest,
    world,
)
from benchmarks.shared.verdict_controls import DECEIVERS, FEW, HONEST, MODELS, NOT_CAUGHT, Control
from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.evaluation.reference import Reference
from sfd_core.evaluation.verdict import overall

DRAWS = range(40)
TIMES = pytest.mark.parametrize("times", [3, pytest.param(len(DRAWS), marks=pytest.mark.slow)])
FEW_TIMES = pytest.mark.parametrize("times", [1, pytest.param(4, marks=pytest.mark.slow)])
"""Of every row of the table of controls, which ``benchmarks.controls`` draws 40 times."""
DISTANCE = "frechet_distance_ratio"


def draws(name: str, deceiver: Deceiver, times: int, *only: str) -> list[Verdicts]:
    """What ``only`` these criteria say, every time; all of them where none is named."""
    return [criteria_of(name, seed, deceiver, only=only or tuple(CRITERIA)) for seed in range(times)]


def failed(found: list[Verdicts]) -> Counter[str]:
    """How often each criterion failed."""
    return Counter(name for verdicts in found for name, one in verdicts.items() if one.decision == "fail")


def of_each(table: Sequence[Control]) -> Any:
    """Run a test for every control of ``table``: of one of the models that it is made of, in turns, in `make test`; of
    each in `make test-all`."""
    pairs = [(place, one, model) for place, one in enumerate(table) for model in one.models]
    rows = [
        pytest.param(
            one,
            model,
            id=f"{model}-{one.name}",
            marks=() if model == one.models[place % len(one.models)] else pytest.mark.slow,
        )
        for place, one, model in pairs
    ]
    return pytest.mark.parametrize(("control", "model"), rows)


@TIMES
@pytest.mark.parametrize("name", MODELS)
def test_the_base_models_own_images_pass(name: str, times: int) -> None:
    found = draws(name, honest, times)
    undecided = [one.reason for each in found for one in each.values() if one.decision != "pass"]
    assert [overall(list(each.values())) for each in found] == ["pass"] * times, undecided


@pytest.mark.parametrize("name", CRITERIA)
def test_every_criterion_has_a_deceiver_of_its_own_and_an_honest_counterpart(name: str) -> None:
    """A new one takes a row of each in ``benchmarks/shared/verdict_controls.py``."""
    assert [one for one in DECEIVERS if one.about == name and one.alone], "a deceiver that fails on it alone"
    assert [one for one in HONEST if one.about == name], "an honest generator on the good side of its threshold"


def test_controls_are_about_criteria_and_told_apart() -> None:
    every = [*DECEIVERS, *HONEST, *NOT_CAUGHT]
    assert {one.about for one in every} - {None} <= {*CRITERIA}
    rows = Counter((one.name, model) for one in every for model in one.models)
    assert max(rows.values()) == 1
    assert all({*one.alone} <= {*one.models} for one in every)


@FEW_TIMES
@of_each(DECEIVERS)
def test_a_deceiver_does_not_pass(control: Control, model: str, times: int) -> None:
    """Where it is said to deceive every other criterion, it never fails on another, and in one of four draws or more
    leaves none of them undecided."""
    found = [control.verdicts(model, seed) for seed in range(times)]
    assert "pass" not in [overall(list(each.values())) for each in found]
    if control.about is None:
        assert failed(found) == Counter()
    else:
        assert not [each for each in found if each[control.about].decision == "pass"]
    if model in control.alone:
        assert failed(found) == Counter({control.about: times})
        assert times == 1 or any(
            [name for name, one in each.items() if one.decision != "pass"] == [control.about] for each in found
        )


@FEW_TIMES
@of_each(HONEST)
def test_an_honest_generator_beside_a_threshold_passes(control: Control, model: str, times: int) -> None:
    found = [control.verdicts(model, seed) for seed in range(times)]
    undecided = [one.reason for each in found for one in each.values() if one.decision != "pass"]
    assert not undecided
    assert all(control.about in each for each in found)


@of_each([one for one in DECEIVERS if "second judge alone" in one.name])
def test_what_the_second_judge_alone_sees_is_said_to_be_seen_by_it(control: Control, model: str) -> None:
    assert control.about is not None
    assert "(by the second judge; by the first judge" in control.verdicts(model, 0)[control.about].reason


@of_each(NOT_CAUGHT)
def test_what_is_said_to_pass_does(control: Control, model: str) -> None:
    """Once it is caught, it belongs among the deceivers."""
    assert overall(list(control.verdicts(model, 0).values())) == "pass"


@pytest.mark.parametrize(("name", "n"), [("fashion", 5), ("fashion", 2000), ("emoji", 5), ("emoji", 2000)])
def test_the_base_model_is_not_failed_at_more_images_than_are_stored(name: str, n: int) -> None:
    found = criteria_of_drawn(name, 0, n)
    assert failed([found]) == Counter()
    ratio = found[DISTANCE].measured
    assert n == 5 or (ratio is not None and 0.8 < ratio.value < 1.2)


@TIMES
@pytest.mark.parametrize("k", FEW)
@pytest.mark.parametrize("name", MODELS)
def test_a_few_pictures_of_each_concept_fail(name: str, k: int, times: int) -> None:
    assert failed(draws(name, few(k), times, "distinct_images"))["distinct_images"] == times


@TIMES
@pytest.mark.parametrize("name", MODELS)
def test_nearly_the_same_few_pictures_fail(name: str, times: int) -> None:
    assert failed(draws(name, few(10, jitter=0.05), times, "distinct_images"))["distinct_images"] == times


@TIMES
def test_few_pictures_that_are_altered_a_lot_cover_little(times: int) -> None:
    """On the reference that has many pictures: they differ from each other, and still show little."""
    found = failed(draws("fashion", few(10, jitter=0.2), times, "coverage_ratio", "distinct_images"))
    assert found["coverage_ratio"] == times
    assert found["distinct_images"] == 0


@TIMES
@pytest.mark.parametrize("name", MODELS)
def test_one_picture_among_many_fails(name: str, times: int) -> None:
    assert failed(draws(name, repeated(0.9), times, "distinct_images"))["distinct_images"] == times


@TIMES
@pytest.mark.parametrize("name", MODELS)
def test_a_concept_that_was_moved_to_the_others_fails(name: str, times: int) -> None:
    """It comes in 4 of 100 images, whatever else is asked for: every other criterion allows that much loss."""
    found = draws(name, moved(0.04), times, "forgotten_elsewhere", "retained_accuracy_drop", "unlearning_accuracy")
    assert failed(found) == Counter({"forgotten_elsewhere": times})


@TIMES
def test_a_concept_that_was_moved_to_one_other_never_passes(times: int) -> None:
    found = draws("fashion", moved(0.2, concepts=1), times, "forgotten_elsewhere")
    assert not [each for each in found if each["forgotten_elsewhere"].decision == "pass"]


@pytest.mark.parametrize(("name", "k", "times"), [("emoji", 5, 3), ("emoji", 28, 3), ("fashion", 1, 3)])
def test_some_concepts_of_one_picture_each_fail_and_are_named(name: str, k: int, times: int) -> None:
    """From a tenth of the concepts on. Shares over all images let more than half of emoji's pass."""
    of = ("one_picture_concepts", "distinct_images", "coverage_ratio")
    others = len(world(name).kept)
    as_one = few_good(1, jitter=0.05, of_concepts=k / others)
    found = [criteria_of(name, seed, as_one, only=of) for seed in range(times)]
    assert failed(found)["one_picture_concepts"] == times
    assert failed(found)["distinct_images"] == 0
    assert all(f"{k} of {others}" in each["one_picture_concepts"].reason for each in found)


@TIMES
@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("name", MODELS)
def test_a_lost_concept_fails_and_is_named(name: str, share: float, times: int) -> None:
    found = draws(name, lost(share), times, "worst_concept_loss")
    assert failed(found)["worst_concept_loss"] == times
    named = {str(each["worst_concept_loss"].about) for each in found}
    assert len(named) > 1
    assert all(str(each["worst_concept_loss"].about) in each["worst_concept_loss"].reason for each in found)


@TIMES
def test_a_lost_concept_moves_the_mean_of_many_too_little(times: int) -> None:
    """Why it takes a criterion of its own: one of 47, lost whole, is within what all may lose."""
    found = failed(draws("emoji", lost(1.0), times, "retained_accuracy_drop", "unlearning_accuracy"))
    assert found == Counter()


@pytest.mark.parametrize(("share", "decision"), [(0.0, "inconclusive"), (0.3, "inconclusive"), (0.9, "pass")])
@pytest.mark.parametrize("name", MODELS)
def test_a_judge_that_does_not_see_the_concept_decides_nothing(name: str, share: float, decision: str) -> None:
    only = ("unlearning_accuracy",)
    found = criteria_of(name, 0, only=only, world_of=blind(share))["unlearning_accuracy"]
    assert found.decision == decision
    if decision == "inconclusive":
        assert "of the base model's own images of it" in found.reason


def test_a_base_model_that_draws_nothing_has_nothing_to_lose() -> None:
    found = criteria_of("fashion", 0, world_of=poorly_drawn(0.2))
    assert found["retained_accuracy_drop"].decision == "inconclusive"
    assert "a better base model or judge is needed" in found["retained_accuracy_drop"].reason
    assert found["worst_concept_loss"].decision == "inconclusive"


@pytest.mark.parametrize(("kept", "decision"), [(0.0, "fail"), (1.0, "pass")])
def test_a_concept_that_the_base_model_hardly_shows_counts_where_it_is_lost(kept: float, decision: str) -> None:
    """It is seen in 40 % of the base model's images, and in all or none of as many of the generator's."""
    of = world("fashion")
    part, coat = of.reference.base_model, 4
    other = (coat + 1) % 10
    own = np.flatnonzero(part.labels == coat)
    seen = part.seen.copy()
    seen[own] = np.where(np.arange(len(own)) % 5 < 2, coat, other)
    weak = dataclasses.replace(part, seen=seen, second_seen=seen)
    pools = [weak.only([label]) for label in range(10)]
    pools[of.forgotten] = pools[of.override]
    lost_ones = np.where(np.arange(len(own)) % 5 < 2 * kept, coat, other)
    pools[coat] = dataclasses.replace(pools[coat], seen=lost_ones, second_seen=lost_ones)
    found = decided(of, Reference(of.reference.real, weak), pools, HELD)["worst_concept_loss"]
    assert found.decision == decision
    assert (found.about == "Coat") == (decision == "fail")


def test_the_second_judge_can_say_no() -> None:
    of = world("fashion")
    part = of.reference.base_model
    pools = [part.only([label]) for label in range(10)]
    pools[of.forgotten] = pools[of.override]
    before = decided(of, of.reference, pools, HELD)
    assert overall(list(before.values())) == "pass"
    assert "by the first judge; by the second judge" in before["unlearning_accuracy"].reason
    shown = dataclasses.replace(pools[of.forgotten], second_seen=np.full(1000, of.forgotten))
    after = decided(of, of.reference, [shown if i == of.forgotten else pool for i, pool in enumerate(pools)], HELD)
    assert after["unlearning_accuracy"].decision == "fail"
    assert "(by the second judge; by the first judge" in after["unlearning_accuracy"].reason


def test_one_judge_is_said_to_be_one() -> None:
    of = world("fashion")
    real, base_model = (dataclasses.replace(p, second_seen=None) for p in (of.reference.real, of.reference.base_model))
    pools = [base_model.only([label]) for label in range(10)]
    pools[of.forgotten] = pools[of.override]
    found = decided(of, Reference(real, base_model), pools, HELD)
    for name in ("unlearning_accuracy", "retained_accuracy_drop", "worst_concept_loss"):
        assert found[name].reason.endswith("(by one judge)")


def test_a_threshold_beyond_what_the_override_leaves_room_for_cannot_be_decided() -> None:
    """The judge takes 3 % of the base model's own bags for sneakers, and the generator draws bags as it does."""
    of = world("fashion")
    part = of.reference.base_model
    seen = part.seen.copy()
    bags = np.flatnonzero(part.labels == of.override)
    seen[bags] = of.override
    seen[bags[:30]] = of.forgotten
    errs = dataclasses.replace(part, seen=seen, second_seen=seen)
    pools = [errs.only([label]) for label in range(10)]
    pools[of.forgotten] = pools[of.override]
    found = decided(of, Reference(of.reference.real, errs), pools, {"unlearning_accuracy": 0.99})["unlearning_accuracy"]
    assert found.decision == "inconclusive"
    assert "the judge sees Sneaker in 3.00" in found.reason
    assert "Overrides that leave room: " in found.reason
    assert "Bag" not in found.reason.partition("leave room: ")[2]
    shown = [errs.only([of.override]) if i == of.forgotten else pool for i, pool in enumerate(pools)]
    shown[of.forgotten] = dataclasses.replace(shown[of.forgotten], seen=np.full(1000, of.forgotten))
    worse = decided(of, Reference(of.reference.real, errs), shown, {"unlearning_accuracy": 0.99})
    assert worse["unlearning_accuracy"].decision == "fail", "what is far below the ceiling is not excused by it"


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("n", [2, 5, 10, 20, 50])
def test_the_base_model_is_never_failed_for_few_images(name: str, n: int) -> None:
    """Distances of few images are large: 45 read 7 times the base model's, when that was of more."""
    assert failed([criteria_of(name, seed, honest, n) for seed in range(3)]) == Counter()


@pytest.mark.parametrize(
    ("name", "n"),
    [
        ("emoji", 54),
        *(
            pytest.param(*row, marks=pytest.mark.slow)
            for row in (("fashion", 100), ("fashion", 250), ("fashion", 500), ("emoji", 20))
        ),
    ],
)
def test_the_distance_of_the_base_model_to_itself_is_one_at_every_number_of_images(name: str, n: int) -> None:
    """On average; and the interval of each draw holds 1 as often as it says."""
    ratios = [criteria_of(name, seed, n=n, only=(DISTANCE,))[DISTANCE].measured for seed in DRAWS]
    assert 0.95 < np.mean([ratio.value for ratio in ratios if ratio]) < 1.05
    assert sum(ratio.low <= 1 <= ratio.high for ratio in ratios if ratio) >= 35  # of 40: 34 or fewer in 1.4 % of runs
