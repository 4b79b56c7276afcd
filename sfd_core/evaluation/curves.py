"""Line charts of a training as inline SVG, and an interval held against its threshold.

Written by hand because a report must stand alone, look the same everywhere and follow the page's light or dark
colours: text takes ``currentColor``, lines take the page's ``--line-1`` and ``--line-2`` where it sets them. There is
no style element and no style attribute, so a strict content security policy lets it through. Plain: no torch, no numpy.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, TypeGuard

WIDTH, HEIGHT = 440, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 56, 42
_COLOURS = ("var(--line-1, #1d5fd1)", "var(--line-2, #b4500f)")
_FAINT = 'stroke="currentColor" stroke-opacity="0.16"'
MAX_MARKED_POINTS = 40


@dataclass(frozen=True)
class Line:
    """One measured line: ``points`` are (images seen, value). ``level``: the teacher's value, drawn dotted."""

    label: str
    points: tuple[tuple[float, float], ...]
    level: float | None = None


def training_charts(
    curves: Sequence[Mapping[str, Any]],
    teacher_unlearning: float | None = None,
    teacher_retained: float | None = None,
) -> tuple[str, ...]:
    """The charts of a report's ``curves``: accuracies with the teacher's as dotted lines, then each loss. A chart
    for which fewer than two values were measured is left out."""

    def line(label: str, key: str, level: float | None = None) -> Line:
        rows = [(row.get("images"), row.get(key)) for row in curves]
        return Line(label, tuple((x, y) for x, y in rows if _finite(x) and _finite(y)), level)

    accuracies = (
        line("Unlearning accuracy", "unlearning_accuracy", teacher_unlearning),
        line("Retained accuracy", "retained_accuracy", teacher_retained),
    )
    charts = [line_chart("Accuracy", accuracies, percent=True)]
    for label, key in (("Generator loss", "loss_generator"), ("Fake score loss", "loss_fake_score")):
        charts.append(line_chart(label, (line(label, key),)))
    return tuple(chart for chart in charts if chart)


def line_chart(title: str, lines: Sequence[Line], percent: bool = False) -> str:
    """One chart over images seen; ``percent``: values are shares and the axis runs from 0 to 100 %. Empty if no
    line has two points."""
    lines = [line for line in lines if len(line.points) > 1]
    if not lines:
        return ""
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    x_ticks = _ticks(0.0, max(xs), 5)
    y_ticks = [0.0, 0.25, 0.5, 0.75, 1.0] if percent else _ticks(min(ys), max(ys), 5)
    x_end, y_low, y_high = max(xs) or 1.0, y_ticks[0], y_ticks[-1]

    def at(x: float, y: float) -> tuple[float, float]:
        across = _LEFT + x / x_end * (WIDTH - _LEFT - _RIGHT)
        return across, HEIGHT - _BOTTOM - (y - y_low) / (y_high - y_low) * (HEIGHT - _TOP - _BOTTOM)

    parts = []
    for y in y_ticks:
        _, py = at(0, y)
        parts.append(f'<line x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{py:.1f}" y2="{py:.1f}" {_FAINT}/>')
        text = f"{y:.0%}" if percent else _number(y, y_ticks)
        parts.append(_text(_LEFT - 8, py + 4, text, "end"))
    for x in x_ticks:
        if x <= x_end:
            px, base = at(x, y_low)
            parts.append(_text(px, base + 18, f"{x:,.0f}", "middle" if px < WIDTH - 22 else "end"))
    parts.append(_text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 6, "images trained on", "middle", faint=True))
    for i, (line, colour) in enumerate(zip(lines, _COLOURS, strict=False)):
        parts.append(_key(i, line, colour, percent))
        if line.level is not None and y_low <= line.level <= y_high:
            (x1, y1), (x2, _) = at(0, line.level), at(x_end, line.level)
            dots = 'stroke-width="2.5" stroke-dasharray="0.1 6" stroke-linecap="round"'
            parts.append(f'<path d="M{x1:.1f} {y1:.1f}H{x2:.1f}" fill="none" stroke="{colour}" {dots}/>')
        places = [at(x, y) for x, y in line.points]
        path = "L".join(f"{px:.1f} {py:.1f}" for px, py in places)
        parts.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2" stroke-linejoin="round"/>')
        if len(places) <= MAX_MARKED_POINTS:
            parts += [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="2.6" fill="{colour}"/>' for px, py in places]
    said = ", ".join(f"{line.label} {_value(line.points[-1][1], percent)}" for line in lines)
    label = escape(f"{title} over images trained on; at the end: {said}")
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}" '
        f'xmlns="http://www.w3.org/2000/svg" fill="currentColor" font-size="13" '
        f'font-family="system-ui, sans-serif">{"".join(parts)}</svg>'
    )


def interval_bar(measured: Mapping[str, Any], threshold: float, at_least: bool) -> str:
    """An interval as a bar with its estimate as a dot, on a scale around ``threshold``, whose allowed side is
    tinted. ``at_least``: the allowed side is above. Empty where a number is missing."""
    low, value, high = measured.get("low"), measured.get("value"), measured.get("high")
    if not (_finite(low) and _finite(value) and _finite(high) and _finite(threshold)):
        return ""
    reach: float = 1.25 * max(abs(high - threshold), abs(low - threshold), 1e-6)
    width, height, middle = 220, 30, 15

    def at(x: float) -> float:
        return width / 2 + (x - threshold) / reach * (width / 2 - 6)

    good_from, good_to = (width / 2, width) if at_least else (0, width / 2)
    label = escape(f"the interval from {low:.4f} to {high:.4f} against the threshold {threshold:g}")
    return (
        f'<svg class="interval" viewBox="0 0 {width} {height}" role="img" aria-label="{label}" '
        f'xmlns="http://www.w3.org/2000/svg">'
        f'<rect x="{good_from:g}" y="3" width="{good_to - good_from:g}" height="24" fill="var(--good, #1a7f4b)" '
        f'fill-opacity="0.16"/>'
        f'<line x1="{width / 2:g}" x2="{width / 2:g}" y1="0" y2="{height}" stroke="currentColor" '
        f'stroke-width="1.5" stroke-dasharray="3 3"/>'
        f'<line x1="{at(low):.1f}" x2="{at(high):.1f}" y1="{middle}" y2="{middle}" stroke="currentColor" '
        f'stroke-width="5" stroke-opacity="0.55" stroke-linecap="round"/>'
        f'<circle cx="{at(value):.1f}" cy="{middle}" r="5" fill="currentColor"/></svg>'
    )


def _finite(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and math.isfinite(value)


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


def _key(place: int, line: Line, colour: str, percent: bool) -> str:
    """The legend: one line of text above the chart for each line drawn, with its last value and the dotted one."""
    y = 18 + 20 * place
    said = f"{line.label}: {_value(line.points[-1][1], percent)}"
    if line.level is not None:
        said += f" (dotted: teacher {_value(line.level, percent)})"
    return f'<rect x="8" y="{y - 7}" width="18" height="4" rx="2" fill="{colour}"/>' + _text(34, y, said, "start")


def _text(x: float, y: float, text: str, anchor: str, faint: bool = False) -> str:
    opacity = ' fill-opacity="0.65"' if faint else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{opacity}>{escape(text)}</text>'
