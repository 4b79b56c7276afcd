"""What pages say of things that were timed in turns."""

from __future__ import annotations

from benchmarks.shared.rounds import median, rates, seconds_of, with_rounds


def test_a_row_has_the_median_and_the_images_of_a_second() -> None:
    written = rates(("by", "s", "images"), {"one": [0.5, 9.0, 0.4], "two": [0.25]}, {"one": 8, "two": 4})
    assert written.splitlines()[2:] == ["| one | 0.500 | 16.0 |", "| two | 0.250 | 16.0 |"]


def test_a_ratio_is_the_median_of_its_rounds_and_names_each() -> None:
    ratios = [1.9, 1.7, 2.0]
    assert median(ratios) == "1.90"
    assert with_rounds(ratios) == "1.90 (median of 3 alternating rounds: 1.90, 1.70, 2.00)"


def test_seconds_are_those_of_one_step() -> None:
    taken: list[int] = []
    assert 0 <= seconds_of(lambda: taken.append(1), 5) < 1
    assert len(taken) == 5
