"""Line charts: quick evaluations over a training, and what a probe found over its steps or noise levels."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sfd_core.display.numbers import is_number
from sfd_core.display.svg import COLOURS, FAINT, picture, text

WIDTH, HEIGHT = 380, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 14, 16, 42
_KEY = 20
"""Height of a line of the legend."""
MAX_MARKED_POINTS = 40
_LABEL_ROOM = 26
"""Pixels that a number below the axis needs."""


@dataclass(frozen=True)
class Line:
    """One measured line: ``points`` are (x, value). ``bounds``: as many (low, high), drawn as whiskers. ``level``: the
    teacher's value, drawn dotted. ``said``: what the legend says after the label; else the last value and the level.
    """

    label: str
    points: tuple[tuple[float, float], ...]
    bounds: tuple[tuple[float, float], ...] = ()
    level: float | None = None
    said: str | None = None


@dataclass(frozen=True)
class Axis:
    """What runs from left to right. ``log``: distances as of log(1 + x), so that early steps have room, with a tick
    at each x that was measured."""

    label: str
    log: bool = False


_TRAINING = Axis("images trained on")


def training_charts(
    curves: Sequence[Mapping[str, Any]],
    teacher_unlearning: float | None = None,
    teacher_retained: float | None = None,
) -> tuple[str, ...]:
    """The charts of a report's ``curves``: accuracies with the teacher's as dotted lines, then each loss. A chart
    for which fewer than two values were measured is left out."""

    def lines(*wanted: tuple[str, str, float | None]) -> list[Line]:
        found = []
        for label, key, level in wanted:
            rows = [(row.get("images"), row.get(key)) for row in curves]
            found.append(Line(label, tuple((x, y) for x, y in rows if is_number(x) and is_number(y)), level=level))
        return [line for line in found if len(line.points) > 1]

    accuracies = lines(
        ("Unlearning accuracy", "unlearning_accuracy", teacher_unlearning),
        ("Retained accuracy", "retained_accuracy", teacher_retained),
    )
    charts = [line_chart("Accuracy", accuracies, percent=True)]
    for label, key in (("Generator loss", "loss_generator"), ("Fake score loss", "loss_fake_score")):
        charts.append(line_chart(label, lines((label, key, None))))
    return tuple(chart for chart in charts if chart)


def line_chart(
    title: str, lines: Sequence[Line], percent: bool = False, axis: Axis = _TRAINING, half: bool = False
) -> str:
    """One chart; a line of one point is that point. ``percent``: values are shares and the axis runs from 0 to 100 %.
    ``half``: one half is marked. Empty if no line has a point."""
    lines = [line for line in lines if line.points]
    if not lines:
        return ""
    xs = sorted({x for line in lines for x, _ in line.points})
    ys = [y for line in lines for _, y in line.points]
    y_ticks = [0.0, 0.25, 0.5, 0.75, 1.0] if percent else _ticks(min(ys), max(ys), 5)
    top, bottom = _TOP + _KEY * len(lines), HEIGHT - _BOTTOM
    y_low, y_high = y_ticks[0], y_ticks[-1]
    across = _across(xs, axis.log)

    def down(y: float) -> float:
        return bottom - (y - y_low) / (y_high - y_low) * (bottom - top)

    parts = []
    for y in y_ticks:
        parts.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{down(y):.1f}" y2="{down(y):.1f}" {FAINT}/>')
        parts.append(text(_LEFT - 8, down(y) + 4, f"{y:.0%}" if percent else _number(y, y_ticks), "end"))
    for px, said in _labels(xs, axis.log, across):
        parts.append(text(px, bottom + 18, said, "middle" if px < WIDTH - 22 else "end"))
    parts.append(text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 6, axis.label, "middle", faint=True))
    if half:
        dashes = 'stroke="currentColor" stroke-width="1.2" stroke-dasharray="5 4" stroke-opacity="0.6"'
        parts.append(f'<path d="M{_LEFT} {down(0.5):.1f}H{WIDTH - _RIGHT}" {dashes}/>')
    for i, line in enumerate(lines):
        parts.append(_key(i, line, percent))
        parts += _drawn(line, COLOURS[i % len(COLOURS)], across, down, (y_low, y_high))
    said = ", ".join(f"{line.label} {_value(line.points[-1][1], percent)}" for line in lines)
    return picture("chart", WIDTH, HEIGHT, f"{title} over {axis.label}; at the end: {said}", parts)


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
        return [(across(x), f"{x:,.0f}") for x in _ticks(0.0, xs[-1], 5) if x <= (xs[-1] or 1.0)]
    kept: list[tuple[float, str]] = []
    for x in reversed(xs):
        if not kept or kept[-1][0] - across(x) >= _LABEL_ROOM:
            kept.append((across(x), f"{x:,.0f}"))
    return kept[::-1]


def _drawn(
    line: Line, colour: str, across: Callable[[float], float], down: Callable[[float], float], span: tuple[float, float]
) -> list[str]:
    """The line with its points and whiskers, and its dotted level where that is on the chart."""
    parts = []
    if line.level is not None and span[0] <= line.level <= span[1]:
        dots = 'stroke-width="2.5" stroke-dasharray="0.1 6" stroke-linecap="round"'
        y = down(line.level)
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
    return [k * step for k in range(first, max(last, first + 1) + 1)]


def _number(value: float, ticks: Sequence[float]) -> str:
    """A tick with as many decimals as tell it from its neighbour."""
    decimals = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
    return f"{value + 0.0:,.{decimals}f}" if decimals < 6 else f"{value:.1e}"


def _value(value: float, percent: bool) -> str:
    return f"{math.floor(value * 1000 + 1e-6) / 10:.1f}%" if percent else f"{value:.3g}"


def _key(place: int, line: Line, percent: bool) -> str:
    """The legend: one line of text above the chart for each line drawn."""
    y = 18 + _KEY * place
    said = _value(line.points[-1][1], percent) if line.said is None else line.said
    if line.said is None and line.level is not None:
        said += f" (dotted: teacher {_value(line.level, percent)})"
    mark = f'<rect x="8" y="{y - 7}" width="18" height="4" rx="2" fill="{COLOURS[place % len(COLOURS)]}"/>'
    return mark + text(34, y, f"{line.label}: {said}" if said else line.label)
