"""Figures as text: one set of formats, and none that reads better than what was measured."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfd_core.display.numbers import (
    SPACE,
    Rounding,
    drop,
    duration,
    estimate,
    fixed,
    interval,
    measure,
    number,
    percent,
    points,
    size,
    span,
)
from sfd_core.evaluation.intervals import Interval
from tests.support.plain import plain

NOT_NUMBERS = (None, True, math.nan, math.inf, "0.5", {})


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_what_is_no_number_is_a_dash(value: Any) -> None:
    for words in (percent, points, number, duration, size, interval, span, estimate, drop, measure):
        assert words(value) == "–"


@pytest.mark.parametrize(
    ("share", "digits", "rounding", "said"),
    [
        (0.9956, 2, "up", "99.56 %"),
        (0.99561, 2, "up", "99.57 %"),
        (0.99569, 2, "down", "99.56 %"),
        (0.99999, 1, "nearest", "> 99.9 %"),
        (1.0, 1, "nearest", "100.0 %"),
        (0.00001, 2, "nearest", "< 0.01 %"),
        (0.0, 2, "nearest", "0.00 %"),
        (0.05, None, "nearest", "5 %"),
        (0.995, None, "nearest", "99.5 %"),
        (0.5, 0, "nearest", "50 %"),
    ],
)
def test_percent(share: float, digits: int | None, rounding: Rounding, said: str) -> None:
    assert plain(percent(share, digits, rounding)) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (5, "5"),
        (6400, "6 400"),
        (1_234_567, "1 234 567"),
        (12_345_678_901_234, "12 345 678 901 234"),
        (-1.04e3, "−1 040"),
        (1874.2, "1 874"),
        (38.41, "38.4"),
        (9.999, "10"),
        (0.41, "0.41"),
        (0.0, "0"),
        (-0.0, "0"),
        (1e-5, "0.00001"),
        (-1.5e-9, "−1.5 × 10⁻⁹"),
        (2.5e20, "2.5 × 10²⁰"),
    ],
)
def test_number(value: float, said: str) -> None:
    assert plain(number(value)) == said


def test_a_loss_near_nought_has_no_minus() -> None:
    assert fixed(-0.0004, 2) == "0.00"


def test_intervals_are_rounded_outwards_and_a_dash_is_no_minus() -> None:
    measured = {"value": 0.99512, "low": 0.99119, "high": 0.99731}
    assert plain(interval(measured)) == "99.1–99.8 %"
    assert plain(estimate(measured, 2)) == "99.51 % (99.11–99.74 %)"
    assert plain(drop({"value": 0.01, "low": -0.0011, "high": 0.0211})) == "1.0 points (−0.2 to 2.2)"
    assert plain(drop({"value": 0.01, "low": 0.0011, "high": 0.0211})) == "1.0 points (0.1–2.2)"
    assert plain(span({"low": 3.121, "high": 1234.5})) == "3.12–1 235"
    assert measure({"value": 3.21, "low": 3.051, "high": 3.404}) == "3.21 (3.05–3.41)"
    assert measure(3.214) == "3.21"


def test_an_interval_is_read_from_an_object_too() -> None:
    measured = Interval(0.5, 0.4, 0.6, 100)
    assert plain(estimate(measured)) == "50.0 % (40.0–60.0 %)"


@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 3))
def test_no_bound_is_inside_the_interval(one: float, other: float, digits: int) -> None:
    low, high = sorted((one, other))
    shown = interval({"low": low, "high": high}, digits).removesuffix(f"{SPACE}%").split("–")
    assert float(shown[0]) <= low * 100 + 1e-9
    assert float(shown[1]) >= high * 100 - 1e-9


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.4, "0.4 s"),
        (9.96, "10 s"),
        (59.7, "1 min 00 s"),
        (61, "1 min 01 s"),
        (3700, "1 h 01 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_duration(seconds: float, said: str) -> None:
    assert plain(duration(seconds)) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (999_960, "1.0 MB"), (2_000_000, "2.0 MB"), (3e13, "30 000.0 GB")],
)
def test_size(count: float, said: str) -> None:
    assert plain(size(count)) == said
