"""The charts of the report and of the dashboard: the teacher dotted, intervals whole, nothing outside the frame,
everything escaped."""

from __future__ import annotations

import itertools
import math
import re

import pytest

from sfd_core.display.interval_charts import WIDTH as BAR_WIDTH
from sfd_core.display.interval_charts import ShareBar, interval_bar, interval_chart
from sfd_core.display.line_charts import HEIGHT, WIDTH, Axis, Level, Line, line_chart, training_charts
from tests.support.plain import plain
from tests.support.sample_report import sample_report


def circles(chart: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r'<circle cx="([-\d.]+)" cy="([-\d.]+)"', chart)]


def test_curves_draw_the_teacher_dotted_and_skip_what_was_not_measured() -> None:
    rows = sample_report()["curves"]
    accuracy, generator, fake = (
        chart.svg() for chart in training_charts(rows, Level("teacher", 0.036), Level("teacher", 0.899))
    )
    assert accuracy.count("stroke-dasharray") == 2
    assert "dotted: teacher 89.9 %" in plain(accuracy)
    assert "stroke-dasharray" not in generator + fake
    rows[3]["unlearning_accuracy"] = None
    rows[4]["unlearning_accuracy"] = math.nan
    thinner = training_charts(rows)[0].svg()
    assert thinner.count("<circle") == accuracy.count("<circle") - 2
    assert "nan" not in thinner
    for row in rows:
        row["loss_generator"] = None
    assert len(training_charts(rows)) == 2
    assert training_charts([]) == ()


@pytest.mark.parametrize("log", [False, True])
@pytest.mark.parametrize(
    "points", [((0, 0), (0, 0)), ((0, 5), (10, 5)), ((0, -1e9), (1, 1e9)), ((0, 1e-9), (1e8, 2e-9)), ((1, -3), (2, -2))]
)
def test_a_chart_of_any_finite_line_stays_in_its_frame(points: tuple[tuple[float, float], ...], log: bool) -> None:
    places = circles(line_chart("x", (Line("x", points),), axis=Axis("steps", log)))
    assert len(places) == 2
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)


def test_early_steps_have_room_on_a_logarithmic_axis_and_ticks_where_it_was_measured() -> None:
    points = tuple((step, step / 40) for step in (0, 1, 2, 5, 10, 20, 40))
    chart = line_chart("x", (Line("x", points),), percent=True, axis=Axis("steps", log=True), half=True)
    xs = [x for x, _ in circles(chart)]
    assert xs[1] - xs[0] > 3 * (circles(line_chart("x", (Line("x", points),)))[1][0] - xs[0])
    labels = re.findall(r'y="246.0" text-anchor="\w+">([\d,]+)<', chart)
    assert labels == ["0", "1", "2", "5", "10", "20", "40"]
    assert "stroke-dasharray" in chart, "one half is marked"


def test_ticks_that_would_overlap_are_left_out_but_not_the_last() -> None:
    points = tuple((step, 0.5) for step in range(60))
    chart = line_chart("x", (Line("x", points),), percent=True, axis=Axis("steps", log=True))
    places = [float(x) for x in re.findall(r'<text x="([\d.]+)" y="246.0"', chart)]
    assert all(b - a >= 26 for a, b in itertools.pairwise(places))
    assert places[-1] - places[-2] >= 39, "the last one ends at its place, the others stand around theirs"
    assert ">59</text>" in chart


def test_whiskers_are_the_intervals() -> None:
    line = Line("x", ((0, 0.5), (1, 1.0)), bounds=((0.25, 0.75), (1.0, 1.0)), said="as said")
    chart = line_chart("x", (line,), percent=True)
    (_, middle), (_, top) = circles(chart)
    low, high = re.findall(r'd="M[\d.]+ ([\d.]+)V([\d.]+)"', chart)[0]
    assert middle - float(high) == pytest.approx((middle - top) / 2, abs=0.11)
    assert float(low) - middle == pytest.approx((middle - top) / 2, abs=0.11)
    assert "x: as said" in chart


def test_a_chart_of_shares_says_each_with_its_interval_and_places_it() -> None:
    shares = [
        ShareBar("a", {"value": 0.5, "low": 0.25, "high": 1.0}),
        ShareBar("b", {"value": None, "low": 0, "high": 1}),
    ]
    chart = interval_chart("t", shares)
    assert "a: 50.0 % (25.0–100.0 %)" in plain(chart)
    assert circles(chart)[0][0] == BAR_WIDTH / 2
    assert len(circles(chart)) == 1, "what has no number is left out"
    assert interval_chart("t", shares[1:]) == ""


def test_labels_of_charts_are_escaped() -> None:
    for chart in (
        line_chart('"><script>', (Line("<b>", ((0, 0), (1, 1))),), axis=Axis("<i>")),
        interval_chart('"><script>', (ShareBar("<b>", {"value": 0.5, "low": 0.4, "high": 0.6}),)),
    ):
        assert "<script>" not in chart
        assert "<b>" not in chart
        assert "<i>" not in chart
        assert 'aria-label="&quot;&gt;' in chart


def test_interval_bar_stays_in_its_frame_and_needs_numbers() -> None:
    bar = interval_bar({"low": 0.2, "value": 0.5, "high": 0.99}, 0.99, at_least=True)
    assert all(0 <= float(x) <= 220 for x in re.findall(r'(?:cx|x1|x2|x)="([-\d.]+)"', bar))
    assert interval_bar({"low": None, "value": 0.5, "high": 1}, 0.99, at_least=True) == ""
    assert interval_bar(None, 0.99, at_least=True) == ""


@pytest.mark.parametrize("losses", [[0.5], [0.0, 0.0], [-1e-9, 1e-9], [1e12, -3e12], [math.nan, 2.0], [0.1, 0.2, 0.15]])
def test_a_running_jobs_curves_lie_inside_the_axes_of_its_budget(losses: list[float]) -> None:
    rows = [{"images": i + 1, "retained_accuracy": 0.5, "loss_generator": loss} for i, loss in enumerate(losses)]
    drawn = training_charts(rows, Level("asked for", 0.99), Level("teacher", 0.9), end=10)
    assert [chart.title for chart in drawn] == ["Accuracy", "Generator loss"]
    assert [plain(level) for level in drawn[0].levels()] == ["teacher 90.0 %"], "of what is drawn"
    assert plain(drawn[0].last(drawn[0].lines[0])) == "50.0 %"
    for chart in drawn:
        bare = chart.svg(legend=False)
        assert f">{chart.lines[0].label}" not in bare, "the page says it"
        assert all(50 <= x <= WIDTH / 2 or len(losses) == 10 for x, _ in circles(bare)), "the rest is to come"
        assert all(16 <= y <= HEIGHT - 82 for _, y in circles(bare))
        assert ">10</text>" in bare


def test_a_line_keeps_its_colour_where_one_before_it_has_no_points() -> None:
    here = Line("here", ((0, 0.5), (1, 0.6)))
    alone, beside = line_chart("share", [here]), line_chart("share", [Line("not here", ()), here])
    assert "--line-1" in alone
    assert "--line-1" not in beside
    assert "--line-2" in beside
