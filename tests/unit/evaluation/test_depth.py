"""What is said of the network behind a generator's one step, on drawn hits: each of 40 draws."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Collection
from typing import Any

import numpy as np
import pytest

from benchmarks.shared.drawn_evidence import JUDGED, criteria_of, world
from benchmarks.shared.drawn_hits import FLOORS, Behind, depth_hits
from sfd_core.display.numbers import estimate
from sfd_core.evaluation.concept_images import Judgements
from sfd_core.evaluation.criteria import CRITERIA, complete, many_steps_share, part_noised_excess
from sfd_core.evaluation.evaluators import Evaluators
from sfd_core.evaluation.evidence import Evidence, JudgeView
from sfd_core.evaluation.intervals import Z95, paired_difference
from sfd_core.evaluation.parts import Parts
from sfd_core.evaluation.sections import depth
from sfd_core.evaluation.sections.depth import Depth, DepthFound
from sfd_core.evaluation.verdict import Criterion, overall
from sfd_core.request.concepts import Budget, Forget
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.recipe import Recipe
from sfd_core.request.unlearning_request import UnlearningRequest

DRAWS = range(40)
NAMES = (many_steps_share.NAME, part_noised_excess.NAME)


def decided(
    seed: int,
    many: float = 0.005,
    base_model: float = 0.96,
    added: float = 0.0,
    floors: dict[int, float] | None = None,
    refused: Collection[int] = (),
    thresholds: dict[str, float] | None = None,
    second: float | None = None,
    in_all: int | None = None,
) -> dict[str, Criterion]:
    """What both criteria say of a network that draws the concept in ``many`` of its images in many steps, the base
    model in ``base_model``, and that completes ``added`` of the noised images that the floor does not. ``second``: what
    the second judge sees in many steps; ``in_all``: how many concepts are forgotten, in other domains too."""
    of = world("fashion")
    forget = Forget("Sneaker", FixedOverride("Bag"))
    request = UnlearningRequest("fashion", (forget,), Budget(64), Recipe(), thresholds or {})
    looking = Evaluators(of.model, JUDGED, of.reference)
    rng = np.random.default_rng(seed)
    views = [Behind(share, added, base_model) for share in (many, second) if share is not None]
    seen = [depth_hits(view, floors or FLOORS, rng) for view in views]
    found = {} if refused else {Depth: DepthFound(20, {of.forgotten: seen})}
    evidence = Evidence(looking, request, 0, Judgements({}), {}, found, refused, in_all)
    parts, limits = Parts([depth.measure(evidence)]), complete(request.thresholds)
    return {one.name: one for name in NAMES for one in CRITERIA[name].decide(parts, evidence, limits[name])}


def decisions(**given: Any) -> Counter[tuple[str, ...]]:
    found = (decided(seed, **given) for seed in DRAWS)
    return Counter(tuple(each[name].decision for name in NAMES) for each in found)


def test_a_network_that_forgot_at_every_time_passes() -> None:
    assert decisions() == {("pass", "pass"): 40}


def test_a_network_that_forgot_in_its_one_step_alone_fails_on_its_many_steps_alone() -> None:
    """All else is the base model's own: everything else passes."""
    assert decisions(many=0.5) == {("fail", "pass"): 40}
    others = criteria_of("fashion", 0, only=[name for name in CRITERIA if name not in NAMES])
    assert overall(list(others.values())) == "pass"
    assert overall([*others.values(), *decided(0, many=0.5).values()]) == "fail"


def test_a_network_that_completes_part_noised_images_fails_on_that_alone() -> None:
    assert decisions(added=0.5) == {("pass", "fail"): 40}


def test_the_base_model_itself_fails_on_both() -> None:
    assert decisions(many=0.96, added=0.96) == {("fail", "fail"): 40}


def test_a_judge_that_does_not_see_the_concept_decides_nothing() -> None:
    assert decisions(many=0.0, base_model=0.0) == {("inconclusive", "inconclusive"): 40}
    assert "of its images: that it is seen in few" in decided(0, base_model=0.0)[NAMES[0]].reason


def test_a_concept_that_comes_back_counts_however_poorly_the_base_model_shows_it() -> None:
    found = [decided(seed, many=0.3, base_model=0.3)[NAMES[0]].decision for seed in DRAWS]
    assert found == ["fail"] * 40


def test_levels_at_which_the_image_shines_through_decide_nothing() -> None:
    found = decided(0, floors={100: 0.99, 300: 0.97})[NAMES[1]]
    assert (found.decision, found.measured) == ("inconclusive", None)
    assert "at no noise level does the base model" in found.reason


def test_the_second_judge_can_say_no() -> None:
    assert decided(0, second=0.005)[NAMES[0]].decision == "pass"
    found = decided(0, second=0.5)[NAMES[0]]
    assert found.decision == "fail"
    assert "(by the second judge; by the first judge" in found.reason


def test_behind_a_filter_nothing_is_decided() -> None:
    found = decided(0, refused=[world("fashion").forgotten])
    assert {one.decision for one in found.values()} == {"inconclusive"}
    assert all("whoever has its weights has no filter" in one.reason for one in found.values())


def test_a_threshold_of_one_asks_for_nothing() -> None:
    off = dict.fromkeys(NAMES, 1.0)
    assert {one.decision for one in decided(0, many=1.0, base_model=0.0, added=1.0, thresholds=off).values()} == {
        "pass"
    }
    assert decided(0, refused=[world("fashion").forgotten], thresholds=off) == {}


def test_a_threshold_beyond_what_the_override_leaves_room_for_cannot_be_decided(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The judge takes a fifth of the override's own images for the concept."""
    of = world("fashion")
    part = of.reference.base_model
    seen = part.seen.copy()
    bags = np.flatnonzero(part.labels == of.override)
    seen[bags[: len(bags) // 5]] = of.forgotten
    view = JudgeView("one judge", {}, dataclasses.replace(part, seen=seen), of.reference.real)
    monkeypatch.setattr(Evidence, "views", (view,))
    found = decided(0, many=0.15)[NAMES[0]]
    assert found.decision == "inconclusive", found.reason
    assert "cannot be reached with this override" in found.reason
    assert decided(0, many=0.5)[NAMES[0]].decision == "fail", "what is far above it is not excused"
    assert decided(0, many=0.19)[NAMES[0]].decision == "fail"
    found = decided(0, many=0.19, in_all=40)[NAMES[0]]
    assert found.decision == "inconclusive", "by the interval that holds for forty at once"
    assert found.measured is not None
    assert estimate(found.measured) in found.reason


def test_intervals_hold_for_what_is_forgotten_in_other_domains_too() -> None:
    alone, of_forty = decided(0, many=0.05), decided(0, many=0.05, in_all=40)
    for name in NAMES:
        narrow, wide = alone[name].measured, of_forty[name].measured
        assert narrow is not None
        assert wide is not None
        assert wide.low < narrow.low or narrow.low == 0
        assert wide.high > narrow.high


def test_a_paired_difference_is_that_of_the_literature() -> None:
    """Newcombe 1998, Statistics in Medicine 17, 2635: 36, 12, 2 and 0 of 50 pairs."""
    found = paired_difference(36, 12, 2, 0)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0569, 0.3404)
    back = paired_difference(36, 2, 12, 0)
    assert (back.low, back.high) == (pytest.approx(-found.high), pytest.approx(-found.low))


@pytest.mark.parametrize(("p", "q"), [(0.3, 0.3), (0.9, 0.8), (0.05, 0.02)])
def test_a_paired_difference_holds_what_is_true_as_often_as_it_says(p: float, q: float) -> None:
    """Of correlated pairs: each image is hit in both or in neither but for those in which the shares differ."""
    rng, held = np.random.default_rng(3), 0
    for _ in range(400):
        u = rng.random(120)
        one, other = u < p, np.where(rng.random(120) < 0.7, u < q, rng.random(120) < q)
        both, first, second = (int(x.sum()) for x in (one & other, one & ~other, ~one & other))
        found = paired_difference(both, first, second, 120 - both - first - second, Z95)
        held += found.low <= p - q <= found.high
    assert held / 400 > 0.93
