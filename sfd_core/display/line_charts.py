"""Line charts, of the report and of the dashboard: quick evaluations over a training, and what a probe found over its
steps or noise levels."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sfd_core.display.numbers import fixed, is_number, number
from sfd_core.display.numbers import percent as per_cent
from sfd_core.display.svg import COLOURS, FAINT, picture, text

WIDTH, HEIGHT = 380, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 14, 16, 42
_KEY = 20
"""Height of a line of the legend."""
MAX_MARKED_POINTS = 40
_LABEL_ROOM = 26
"""Pixels that a number below the axis needs."""


@dataclass(frozen=True)
class Level:
    """A value that a line is read against, drawn dotted: ``base model``, or ``asked for``."""

    name: str
    value: float


@dataclass(frozen=True)
class Line:
    """One measured line: ``points`` are (x, value). ``bounds``: as many (low, high), drawn as whiskers. ``said``: what
    the legend says after the label; else the last value and the level. ``colour``: its place among the page's line
    colours, where that is not its place in the chart.
    """

    label: str
    points: tuple[tuple[float, float], ...]
    bounds: tuple[tuple[float, float], ...] = ()
    level: Level | None = None
    said: str | None = None
    colour: int | None = None


@dataclass(frozen=True)
class Axis:
    """The quantity that runs from left to right. ``log``: distances as of log(1 + x), so that early steps have room,
    with a tick at each x that was measured. ``end``: how far a plain axis goes, beyond what was measured so far."""

    label: str
    log: bool = False
    end: float = 0.0


_TRAINING = Axis("images trained on")


@dataclass(frozen=True)
class Chart:
    """Lines on one pair of axes, at least one of them with a point. ``percent``: values are shares and the axis runs
    from 0 to 100 %. ``half``: one half is marked."""

    title: str
    lines: tuple[Line, ...]
    percent: bool = False
    axis: Axis = _TRAINING
    half: bool = False

    def svg(self, legend: bool = True) -> str:
        """Draw the chart. ``legend``: with a line of text above it for each line drawn; else the page says them."""
        return _svg(self, legend)

    def last(self, line: Line) -> str:
        """Return a line's last value in words."""
        return _value(line.points[-1][1], self.percent)

    def levels(self) -> tuple[str, ...]:
        """Return what is dotted, in words."""
        levels = (line.level for line in self.lines)
        return tuple(f"{level.name} {_value(level.value, self.percent)}" for level in levels if level is not None)


def training_charts(
    curves: Sequence[Mapping[str, Any]],
    unlearning: Level | None = None,
    retained: Level | None = None,
    end: float = 0.0,
) -> tuple[Chart, ...]:
    """Make the charts of a report's ``curves``, or of those of a running job: accuracies with the levels that they are
    read against, then each loss. A chart for which nothing was measured is left out.

    Args:
        end: images in the budget.
    """

    def chart(title: str, percent: bool, *wanted: tuple[str, str, Level | None]) -> Chart | None:
        lines = []
        for label, key, level in wanted:
            rows = [(row.get("images"), row.get(key)) for row in curves]
            points = tuple((x, y) for x, y in rows if is_number(x) and is_number(y))
            if points:
                lines.append(Line(label, points, level=level))
        return Chart(title, tuple(lines), percent, dataclasses.replace(_TRAINING, end=end)) if lines else None

    charts = (
        chart(
            "Accuracy",
            True,
            ("Unlearning accuracy", "unlearning_accuracy", unlearning),
            ("Retained accuracy", "retained_accuracy", retained),
        ),
        *(
            chart(label, False, (label, key, None))
            for label, key in (("Generator loss", "loss_generator"), ("Fake score loss", "loss_fake_score"))
        ),
    )
    return tuple(chart for chart in charts if chart is not None)


def line_chart(
    title: str, lines: Sequence[Line], percent: bool = False, axis: Axis = _TRAINING, half: bool = False
) -> str:
    """Draw one chart, with its legend; a line of one point is that point. Empty if no line has a point."""
    # A line without points leaves its colour to none of the others.
    placed = (line if line.colour is not None else replace(line, colour=i) for i, line in enumerate(lines))
    lines = tuple(line for line in placed if line.points)
    return Chart(title, lines, percent, axis, half).svg() if lines else ""


def _svg(chart: Chart, legend: bool) -> str:
    lines, axis, percent = chart.lines, chart.axis, chart.percent
    xs = sorted({x for line in lines for x, _ in line.points})
    if axis.end > xs[-1]:
        xs.append(axis.end)
    ys = [y for line in lines for _, y in line.points]
    y_ticks = [0.0, 0.25, 0.5, 0.75, 1.0] if percent else _ticks(min(ys), max(ys), 5)
    height = HEIGHT if legend else HEIGHT - 2 * _KEY
    top, bottom = _TOP + (_KEY * len(lines) if legend else 0), height - _BOTTOM
    y_low, y_high = y_ticks[0], y_ticks[-1]
    across = _across(xs, axis.log)

    def down(y: float) -> float:
        return bottom - (y - y_low) / (y_high - y_low) * (bottom - top)

    parts = []
    for y in y_ticks:
        parts.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{down(y):.1f}" y2="{down(y):.1f}" {FAINT}/>')
        parts.append(text(_LEFT - 8, down(y) + 4, per_cent(y, 0) if percent else _tick(y, y_ticks), "end"))
    for px, said in _labels(xs, axis.log, across):
        parts.append(text(px, bottom + 18, said, "end" if _ends(px) else "middle"))
    parts.append(text((_LEFT + WIDTH - _RIGHT) / 2, height - 6, axis.label, "middle", faint=True))
    if chart.half:
        dashes = 'stroke="currentColor" stroke-width="1.2" stroke-dasharray="5 4" stroke-opacity="0.6"'
        parts.append(f'<path d="M{_LEFT} {down(0.5):.1f}H{WIDTH - _RIGHT}" {dashes}/>')
    for i, line in enumerate(lines):
        colour = COLOURS[(i if line.colour is None else line.colour) % len(COLOURS)]
        if legend:
            parts.append(_key(i, line, colour, percent))
        parts += _drawn(line, colour, across, down, (y_low, y_high))
    said = ", ".join(f"{line.label} {chart.last(line)}" for line in lines)
    return picture("chart", WIDTH, height, f"{chart.title} over {axis.label}; at the end: {said}", parts)


def _across(xs: Sequence[float], log: bool) -> Callable[[float], float]:
    """From x to pixels. A plain axis starts at 0, a logarithmic one at its first x."""
    start = math.log1p(xs[0]) if log else 0.0
    end = (math.log1p(xs[-1]) if log else xs[-1]) or 1.0

    def place(x: float) -> float:
        return _LEFT + ((math.log1p(x) if log else x) - start) / ((end - start) or 1.0) * (WIDTH - _LEFT - _RIGHT)

    return place


def _labels(xs: Sequence[float], log: bool, across: Callable[[float], float]) -> list[tuple[float, str]]:
    """Numbers below the axis: round ones, or those measured, as far apart as they can be read. The last one stays."""
    if not log:
        return [(across(x), fixed(x, 0)) for x in _ticks(0.0, xs[-1], 5) if x <= (xs[-1] or 1.0)]
    kept: list[tuple[float, str]] = []
    for x in reversed(xs):
        if not kept or _middle(kept[-1][0]) - across(x) >= _LABEL_ROOM:
            kept.append((across(x), fixed(x, 0)))
    return kept[::-1]


def _ends(px: float) -> bool:
    """Whether a number below the axis ends at its place, as it has no room to stand around it."""
    return px >= WIDTH - 22


def _middle(px: float) -> float:
    """Where the middle of a number below the axis is."""
    return px - _LABEL_ROOM / 2 if _ends(px) else px


def _drawn(
    line: Line, colour: str, across: Callable[[float], float], down: Callable[[float], float], span: tuple[float, float]
) -> list[str]:
    """The line with its points and whiskers, and its dotted level where that is on the chart."""
    parts = []
    if line.level is not None and span[0] <= line.level.value <= span[1]:
        dots = 'stroke-width="2.5" stroke-dasharray="0.1 6" stroke-linecap="round"'
        y = down(line.level.value)
        parts.append(f'<path d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}" fill="none" stroke="{colour}" {dots}/>')
    places = [(across(x), down(y)) for x, y in line.points]
    for (px, _), (low, high) in zip(places, line.bounds, strict=False):
        whisker = 'stroke-width="5" stroke-opacity="0.3" stroke-linecap="round"'
        parts.append(f'<path d="M{px:.1f} {down(low):.1f}V{down(high):.1f}" stroke="{colour}" {whisker}/>')
    path = "L".join(f"{px:.1f} {py:.1f}" for px, py in places)
    parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>')
    if len(places) <= MAX_MARKED_POINTS:
        parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="2.8" fill="{colour}"/>' for px, py in places]
    return parts


def _ticks(low: float, high: float, count: int) -> list[float]:
    """About ``count`` round values that enclose ``low`` to ``high``."""
    span = (high - low) or abs(high) or 1.0
    step = 10.0 ** math.floor(math.log10(span / count))
    step *= next(m for m in (1, 2, 5, 10) if m * step * count >= span)
    first, last = math.floor(low / step), math.ceil(high / step)
    if first == last:  # a flat line lies in the middle
        first, last = first - 1, last + 1
    return [k * step for k in range(first, last + 1)]


def _tick(value: float, ticks: Sequence[float]) -> str:
    """A tick with as many decimals as tell it from its neighbour."""
    decimals = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
    return fixed(value, decimals) if decimals < 6 and abs(value) < 1e6 else number(value)


def _value(value: float, percent: bool) -> str:
    return per_cent(value) if percent else number(value)


def _key(place: int, line: Line, colour: str, percent: bool) -> str:
    """The legend: one line of text above the chart for each line drawn."""
    y = 18 + _KEY * place
    said = _value(line.points[-1][1], percent) if line.said is None else line.said
    if line.said is None and line.level is not None:
        said += f" (dotted: {line.level.name} {_value(line.level.value, percent)})"
    mark = f'<rect x="8" y="{y - 7}" width="18" height="4" rx="2" fill="{colour}"/>'
    words = text(34, y, f"{line.label}: {said}" if said else line.label)
    return f'{mark}<g font-size="12">{words}</g>'  # a value and its level fit beside a long label
