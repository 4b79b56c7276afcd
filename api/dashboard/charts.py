"""Small line charts as SVG, drawn on the server: geometry here, colours in the stylesheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from api.dashboard.rendering import number, percent
from api.dashboard.story import Point

WIDTH, HEIGHT = 400, 210
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 12, 26


@dataclass(frozen=True)
class Line:
    """A series as drawn: ``path`` is an SVG path, ``end`` its last point, ``last`` its last value in words."""

    name: str
    style: str
    path: str
    end: tuple[float, float]
    last: str


@dataclass(frozen=True)
class Rule:
    """A dotted horizontal line at a value that means something."""

    name: str
    style: str
    y: float


@dataclass(frozen=True)
class Tick:
    """A mark on an axis, at ``at`` pixels."""

    at: float
    label: str


@dataclass(frozen=True)
class Chart:
    """Everything that the template draws. ``summary`` says in words what the picture shows."""

    title: str
    lines: tuple[Line, ...]
    rules: tuple[Rule, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    summary: str


def charts(points: Sequence[Point], of: int, ua_threshold: float | None, teacher: float | None) -> tuple[Chart, ...]:
    """The accuracies and both losses over the images trained on; nothing before the first evaluation.

    Args:
        of: images in the budget: the axis' end.
        ua_threshold: the unlearning accuracy that was asked for.
        teacher: the teacher's retained accuracy, where it is known.
    """
    if not points:
        return ()
    end = max(of, points[-1].images, 1)
    rules = [("asked for", "ua", ua_threshold), ("teacher", "ra", teacher)]
    accuracy = _chart(
        "Accuracy",
        [
            ("Forgotten", "ua", [(p.images, p.unlearning_accuracy) for p in points]),
            ("Retained", "ra", [(p.images, p.retained_accuracy) for p in points]),
        ],
        end,
        (0.0, 1.0),
        [(name, style, value) for name, style, value in rules if value is not None],
    )
    losses = [
        _chart(title, [(title, "loss", values)], end, None, [])
        for title, values in (
            ("Generator loss", [(p.images, p.loss_generator) for p in points]),
            ("Fake-score loss", [(p.images, p.loss_fake_score) for p in points]),
        )
    ]
    return tuple(chart for chart in (accuracy, *losses) if chart is not None)


def _chart(
    title: str,
    series: Sequence[tuple[str, str, Sequence[tuple[int, float | None]]]],
    end: int,
    span: tuple[float, float] | None,
    rules: Sequence[tuple[str, str, float]],
) -> Chart | None:
    known = [
        (name, style, [(x, y) for x, y in values if y is not None and math.isfinite(y)])
        for name, style, values in series
    ]
    known = [(name, style, values) for name, style, values in known if values]
    if not known:
        return None
    shares = span is not None
    ticks = _nice([y for _, _, values in known for _, y in values]) if span is None else [0.0, 0.25, 0.5, 0.75, 1.0]
    low, high = ticks[0], ticks[-1]

    def place(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * x / end
        down = TOP + (HEIGHT - TOP - BOTTOM) * (1 - (y - low) / (high - low))
        return round(across, 1), round(down, 1)

    def words(y: float) -> str:
        return percent(y) if shares else number(y)

    lines = tuple(
        Line(
            name,
            style,
            "M" + "L".join(f"{x} {y}" for x, y in (place(x, y) for x, y in values)),
            place(*values[-1]),
            words(values[-1][1]),
        )
        for name, style, values in known
    )
    return Chart(
        title,
        lines,
        tuple(Rule(f"{name} {words(value)}", style, place(0, value)[1]) for name, style, value in rules),
        tuple(Tick(place(x, low)[0], number(x)) for x in _halves(end)),
        tuple(Tick(place(0, y)[1], percent(y, 0) if shares else number(y)) for y in ticks),
        "; ".join(f"{line.name} is now {line.last}" for line in lines),
    )


def _halves(end: int) -> list[int]:
    return sorted({0, end // 2, end})


def _nice(values: Sequence[float]) -> list[float]:
    """Three to six round numbers that enclose ``values``."""
    low, high = min(values), max(values)
    if high - low < 1e-12:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    rough = (high - low) / 3
    magnitude = 10 ** math.floor(math.log10(rough))
    step = next(factor for factor in (1, 2, 2.5, 5, 10) if factor * magnitude >= rough) * magnitude
    first, last = math.floor(low / step), math.ceil(high / step)
    return [float(f"{i * step:.10g}") for i in range(first, last + 1)]
