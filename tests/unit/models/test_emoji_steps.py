"""Which sampler is chosen for the emoji teacher, and what its table and card say."""

from __future__ import annotations

import dataclasses

import pytest

from models.emoji import step_curve

Point = step_curve.Point


def point(steps: int, right: float, fd: float, guidance: float = 2.0) -> object:
    return Point(steps, guidance, 864, right, 1.0, right, 1.0, fd, 100 / steps)


def test_the_fewest_steps_that_are_as_good_as_any() -> None:
    points = [point(1, 0.3, 900), point(4, 0.98, 300), point(8, 0.985, 205), point(20, 0.99, 200), point(50, 0.99, 210)]
    # 4 steps are judged right as often, but are far from real pictures; 8 are within a tenth of the lowest FD.
    assert step_curve.saturated(points).steps == 8
    worse = [dataclasses.replace(p, style=0.9) if p.steps == 8 else p for p in points]
    assert step_curve.saturated(worse).steps == 20


def test_the_lowest_fd_does_not_decide_for_images_that_are_judged_wrong() -> None:
    points = [point(10, 0.80, 100), point(20, 0.99, 200), point(30, 0.99, 190)]
    assert step_curve.saturated(points).steps == 20


def test_the_guidance_is_the_one_of_lowest_fd_among_those_judged_right_as_often() -> None:
    points = [point(15, right, fd, g) for right, fd, g in ((0.9, 150, 1.0), (0.99, 180, 1.5), (0.99, 240, 3.0))]
    assert step_curve.best_guidance(points) == 1.5


def test_the_table_marks_the_chosen_row_alone() -> None:
    points = [point(4, 0.9, 300), point(8, 0.99, 200)]
    rows = step_curve.table(points, points[1])
    assert [row.count("**") for row in rows] == [0, 0, 0, 14]
    text = step_curve.document(points, [], points[1], "CPU, 2 threads", ["--guidance", "2"])
    assert "step_curve --guidance 2`" in text
    assert "Chosen: **8 steps**" in text
    assert "864 images a row (18 an" in text
    assert "## Guidance" not in text
    assert "## Guidance" in step_curve.document(points, points, points[1], "CPU, 2 threads", [])


def test_the_charts_have_a_line_for_each_figure() -> None:
    charts = step_curve.charts([point(4, 0.9, 300), point(8, 0.99, 200)])
    assert list(charts) == ["emoji-steps.svg", "emoji-steps-fd.svg"]
    assert "Object judged right" in charts["emoji-steps.svg"]
    assert all(chart.startswith("<svg") for chart in charts.values())


def test_images_that_do_not_ask_for_everything_as_often_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["step_curve.py", "--images", "20"])
    with pytest.raises(SystemExit):
        step_curve.main()
