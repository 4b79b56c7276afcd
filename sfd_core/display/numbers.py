"""Figures as text. Intervals are rounded outwards and a share is never rounded to 0 or 100 % that is not one, so that
no figure reads better than it was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeGuard

from sfd_core.display.overrides import written_in_words

MISSING = "–"


def is_number(value: Any) -> TypeGuard[float]:
    """Whether ``value`` is a finite number, and not a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def percent(share: Any, digits: int | None = 1, rounding: str = "nearest") -> str:
    """A share as per cent with ``digits`` decimals; None: as many as it has. ``rounding``: ``nearest``, ``down`` or
    ``up``."""
    if not is_number(share):
        return MISSING
    if digits is None:
        return f"{share * 100:.6g}%"
    scale = 10.0**digits
    exact = round(share * 100 * scale, 6)  # 0.9956 must not be rounded up for being 0.99560000000000004
    whole = {"down": math.floor(exact), "up": math.ceil(exact)}.get(rounding, round(exact))
    rounded = whole / scale
    if rounding == "nearest" and rounded == 100 and share < 1:
        return f"> {100 - 1 / scale:.{digits}f}%"
    if rounding == "nearest" and rounded == 0 and share > 0:
        return f"< {1 / scale:.{digits}f}%"
    return f"{rounded + 0.0:.{digits}f}%"


def interval(measured: Mapping[str, Any] | None, digits: int = 1) -> str:
    """The bounds of an interval of a share, rounded outwards."""
    if not measured or not is_number(measured.get("low")) or not is_number(measured.get("high")):
        return MISSING
    low = percent(measured["low"], digits, "down").removesuffix("%")
    return f"{low}–{percent(measured['high'], digits, 'up')}"


def points(difference: Any, digits: int | None = 1) -> str:
    """A difference of two shares in percentage points with ``digits`` decimals; None: as many as it has."""
    if not is_number(difference):
        return MISSING
    text = f"{difference * 100:.6g}" if digits is None else f"{round(difference * 100, digits) + 0.0:.{digits}f}"
    return text.replace("-", "−")


def number(value: Any, digits: int = 3) -> str:
    """A number for reading: whole ones as they are, others to ``digits`` significant ones; thousands apart from
    10,000 on."""
    if not is_number(value):
        return MISSING
    whole = isinstance(value, int) or abs(value) >= 10 ** (digits - 1)
    text = f"{value:,.0f}" if whole else format(Decimal(f"{value:.{digits}g}"), "f")
    return (text if abs(value) >= 10_000 else text.replace(",", "")).replace("-", "−")


def span(measured: Mapping[str, Any] | None, digits: int = 3) -> str:
    """The bounds of an interval of plain numbers."""
    if not measured or not is_number(measured.get("low")) or not is_number(measured.get("high")):
        return MISSING
    return f"{number(measured['low'], digits)}–{number(measured['high'], digits)}"


def duration(seconds: Any) -> str:
    """Seconds as ``41 s``, ``3 min 12 s`` or ``2 h 05 min``."""
    if not is_number(seconds):
        return MISSING
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def mebibytes(size: Any) -> str:
    """A number of bytes in MiB."""
    return f"{size / 2**20:,.0f} MiB" if is_number(size) else MISSING


def moment(text: str) -> str:
    """An ISO 8601 time in UTC, to the minute; as it is if it is not one."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return text


FILTERS = {
    "percent": percent,
    "interval": interval,
    "points": points,
    "number": number,
    "span": span,
    "duration": duration,
    "mebibytes": mebibytes,
    "moment": moment,
    "override": written_in_words,
}
"""By the names that the templates use."""
