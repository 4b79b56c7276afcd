"""Intervals drawn: one held against its threshold, and several shares below each other on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from sfd_core.display.numbers import estimate, is_number, number, percent
from sfd_core.display.svg import COLOURS, FAINT, picture, text

WIDTH = 380
_LEFT, _RIGHT, _PITCH = 14, 14, 46
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class ShareBar:
    """A share with its interval (as reports hold it), and what it is the share of. ``colour``: its place among the
    page's line colours."""

    label: str
    measured: Mapping[str, Any]
    colour: int = 0


def interval_bar(measured: Mapping[str, Any] | None, threshold: Any, at_least: bool) -> str:
    """Draw an interval as a bar with its estimate as a dot, on a scale around ``threshold``, whose allowed side is
    tinted. ``at_least``: the allowed side is above. Empty where a number is missing."""
    low, value, high = ((measured or {}).get(name) for name in ("low", "value", "high"))
    if not (is_number(low) and is_number(value) and is_number(high) and is_number(threshold)):
        return ""
    reach: float = 1.25 * max(abs(high - threshold), abs(low - threshold), 1e-6)
    width, height, middle = 220, 30, 15

    def at(x: float) -> float:
        return width / 2 + (x - threshold) / reach * (width / 2 - 6)

    good_from, good_to = (width / 2, width) if at_least else (0, width / 2)
    bounds = f"from {number(low, rounding='down')} to {number(high, rounding='up')}"
    label = escape(f"the interval {bounds} against the threshold {number(threshold)}")
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


def interval_chart(title: str, shares: Sequence[ShareBar]) -> str:
    """Draw shares below each other on a scale from 0 to 100 %: each with its name, its figures, its interval as a bar
    and its estimate as a dot. Those without numbers are left out; empty if none is left."""
    shown = [share for share in shares if all(is_number(share.measured.get(name)) for name in ("low", "value", "high"))]
    if not shown:
        return ""
    height = _PITCH * len(shown) + 30

    def at(x: float) -> float:
        return _LEFT + x * (WIDTH - _LEFT - _RIGHT)

    parts = []
    for x in _TICKS:
        anchor, shift = {0.0: ("start", -8), 1.0: ("end", 8)}.get(x, ("middle", 0))
        parts.append(text(at(x) + shift, height - 6, percent(x, 0), anchor, faint=True))
    for place, share in enumerate(shown):
        y, colour = _PITCH * place + 34, COLOURS[share.colour % len(COLOURS)]
        low, value, high = (at(share.measured[name]) for name in ("low", "value", "high"))
        parts.append(text(_LEFT, y - 15, f"{share.label}: {estimate(share.measured)}"))
        parts.append(f'<path d="M{at(0):.1f} {y}H{at(1):.1f}" {FAINT}/>')
        parts += [f'<path d="M{at(x):.1f} {y - 8}V{y + 8}" {FAINT}/>' for x in _TICKS]
        bar = f'stroke="{colour}" stroke-width="7" stroke-opacity="0.45" stroke-linecap="round"'
        parts.append(f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}" {bar}/>')
        parts.append(f'<circle cx="{value:.1f}" cy="{y}" r="5" fill="{colour}"/>')
    said = ", ".join(f"{share.label} {percent(share.measured['value'])}" for share in shown)
    return picture("chart", WIDTH, height, f"{title}: {said}", parts)
