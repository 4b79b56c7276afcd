"""When ``benchmarks.recipe`` takes a target as reached, and what its page says of one that was not, on made-up
points."""

from __future__ import annotations

import dataclasses

import pytest

from benchmarks.recipe.__main__ import done
from benchmarks.recipe.table import charts, goal_row, reached_in
from benchmarks.recipe.targets import DROP, RATIO, SINGLE, UA, Goal, Point, joint, reached, times_ahead
from benchmarks.shared.arrangements import OURS, THEIRS
from sfd_core.evaluation.intervals import Interval, wilson

ALL = Goal((UA, DROP, RATIO))
RETAINED = Goal((DROP,))


def point(seconds: float, seen: int = 0, drop: float = 0.0, ratio: float = 1.2, images: int = 1000) -> Point:
    """``seen``: images of the forgotten concept that show it."""
    about = Interval(drop, drop - 0.02, drop + 0.02, 900), Interval(ratio, ratio - 0.3, ratio + 0.3, 900)
    ua, ra = wilson(images - seen, images), Interval(0.87 - drop, 0.86 - drop, 0.88 - drop, 900)
    return Point(seconds, round(seconds), ua, ra, *about)


def drops(*values: float) -> list[Point]:
    return [point(10.0 * (i + 1), drop=drop) for i, drop in enumerate(values)]


def test_ua_is_held_by_its_lower_bound_which_few_images_cannot_reach() -> None:
    assert UA.held(point(1, seen=3))
    assert point(1, seen=4).ua.value > UA.limit
    assert not UA.held(point(1, seen=4))
    assert not UA.held(point(1, images=256))


def test_drop_and_ratio_are_held_by_their_estimates_up_to_the_limit() -> None:
    assert [DROP.held(point(1, drop=drop)) for drop in (-0.1, 0.03, 0.0301)] == [True, True, False]
    assert [RATIO.held(point(1, ratio=ratio)) for ratio in (0.9, 1.5, 1.501)] == [True, True, False]


def test_the_first_of_two_points_in_a_row_counts_and_a_lucky_one_does_not() -> None:
    found = reached(drops(0.1, 0.0, 0.1, 0.02, 0.01, 0.0), RETAINED)
    assert found is not None
    assert (found.after, found.point.seconds) == (30.0, 40.0)
    assert reached(drops(0.1, 0.0, 0.1, 0.0), RETAINED) is None
    assert reached(drops(0.0), RETAINED) is None
    assert reached([], RETAINED) is None
    first = reached(drops(0.0, 0.0), RETAINED)
    assert first is not None
    assert first.after == 0


def test_targets_together_must_be_held_by_the_same_two_points() -> None:
    points = [point(10, ratio=2), point(20), point(30, seen=9), point(40), point(50, drop=0.2), point(60)]
    assert reached(points, Goal((UA,))) is not None
    assert reached(points, RETAINED) is not None
    assert reached(points, Goal((RATIO,))) is not None
    assert reached(points, ALL) is None
    last = reached([*points, point(70)], ALL)
    assert last is not None
    assert last.point.seconds == 60


def test_the_ratio_that_ours_ends_with_is_the_larger_of_its_last_two_rounded_up() -> None:
    ours = [point(10, ratio=9), point(20, ratio=1.731), point(30, ratio=1.62)]
    (*_, end) = joint(ours)
    assert end.name == "UA >= 0.99 (lower bound); RA drop <= 0.03; Frechet ratio <= 1.74"
    found = reached(ours, end)
    assert found is not None
    assert found.point.seconds == 20
    assert reached(ours, joint(ours)[0]) is None
    assert joint(ours[:1])[-1].targets[-1].limit == 9


def test_how_far_ours_is_ahead_with_what_the_distance_of_points_leaves_open() -> None:
    ours, theirs = drops(0.1, 0.0, 0.0), drops(*[0.1] * 9, 0.0, 0.0)
    assert times_ahead(ours, theirs, RETAINED) == "5.0 (4.5 to 10.0)"
    assert times_ahead(drops(0.0, 0.0), theirs, RETAINED) == "10.0 (9.0 to more)"


def test_what_the_published_arrangement_did_not_reach_is_a_lower_bound_by_its_last_miss() -> None:
    ours = drops(0.1, 0.0, 0.0)
    assert times_ahead(ours, drops(*[0.1] * 12), RETAINED) == "at least 6.0"
    # Its last point may be the first of two: then all that is known is that the one before missed.
    assert times_ahead(ours, drops(*[0.1] * 11, 0.0), RETAINED) == "at least 5.5"
    assert times_ahead(ours, drops(0.0), RETAINED) == "at least 0.0"


def test_what_ours_did_not_reach_has_no_ratio() -> None:
    assert times_ahead(drops(0.1, 0.0), drops(0.0, 0.0), RETAINED) == "not reached by ours"


def test_the_page_says_when_a_target_was_reached_and_how_many_later_points_miss_it() -> None:
    assert reached_in(drops(0.1, 0.0, 0.0), RETAINED) == "20 (step 20)"
    assert reached_in(drops(0.1, 0.0, 0.0, 0.2, 0.0), RETAINED) == "20 (step 20); 1 of 3 later points miss it"


@pytest.mark.parametrize(
    ("goal", "points", "said"),
    [
        (RETAINED, drops(0.2, 0.05, 0.1), "not within 30 s; best: 0.0500 at 20 s"),
        (RETAINED, drops(0.2, 0.01, 0.1), "not within 30 s; best: 0.0100 at 20 s, at no two points in a row"),
        (Goal((UA,)), [point(10, seen=90), point(20, seen=4)], "not within 20 s; best: 0.9898 at 20 s"),
        (
            ALL,
            [point(10, ratio=1.6, drop=1), point(20, ratio=2), point(30, ratio=1.9)],
            "not within 30 s; best where the others hold: 1.9000 at 30 s",
        ),
        (ALL, [point(10, drop=1), point(20, seen=9)], "not within 20 s; the others are held together at no point"),
    ],
)
def test_the_page_says_that_a_target_was_not_reached_and_what_came_closest(
    goal: Goal, points: list[Point], said: str
) -> None:
    assert reached_in(points, goal) == said


def test_a_row_sets_both_arrangements_side_by_side() -> None:
    points = {OURS: drops(0.1, 0.0, 0.0), THEIRS: drops(0.1, 0.1, 0.05)}
    assert goal_row(SINGLE[1], points) == (
        "RA drop <= 0.03",
        "20 (step 20)",
        "not within 30 s; best: 0.0500 at 30 s",
        "at least 1.5",
    )


def test_an_arrangement_stops_once_it_has_reached_everything() -> None:
    good, bad = drops(0.1, 0.0, 0.0), drops(0.1, 0.0, 0.1)
    assert done({OURS: good, THEIRS: bad}, OURS)
    assert not done({OURS: good, THEIRS: bad}, THEIRS)
    assert not done({OURS: [], THEIRS: []}, OURS)
    # A ratio of 1.5 is not enough where ours ends with a better one.
    better = [dataclasses.replace(one, ratio=Interval(1.05, 1, 1.1, 900)) for one in good]
    assert not done({OURS: better, THEIRS: good}, THEIRS)


def test_the_charts_have_a_line_an_arrangement() -> None:
    drawn = charts({OURS: drops(0.1, 0.0), THEIRS: drops(0.2, 0.1)}, 0.87)
    assert list(drawn) == ["recipe.svg", "recipe-frechet.svg"]
    assert [chart.count("<circle") for chart in drawn.values()] == [8, 4]
