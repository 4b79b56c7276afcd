"""Figures as text: the one set of formats that pages, charts, cards and commands share.

``12.3 %``, ``98.1–99.5 %``, ``6 400``, ``−1 040``, ``3 min 12 s``, ``1.2 MB``: a narrow no-break space stands between
thousands and before a unit, so that no figure is torn apart at the end of a line. Intervals are rounded outwards and a
share is never rounded to 0 or 100 % that is not one, so that no figure reads better than it was measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Any, Literal, TypeGuard

from sfd_core.display.overrides import written_in_words

MISSING = "–"
SPACE = "\u202f"
"""Narrow, and no line ends there."""
Rounding = Literal["nearest", "down", "up"]
_MODES = {"nearest": ROUND_HALF_EVEN, "down": ROUND_FLOOR, "up": ROUND_CEILING}
_LARGE, _SMALL = 1e15, 1e-6
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether ``value`` is a finite number, and not a truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def fixed(value: float, decimals: int, rounding: Rounding = "nearest") -> str:
    """Write ``value`` with so many decimals, thousands apart, and a minus sign that is one."""
    # Twelve digits: 0.9956 must not be rounded up for being 0.99560000000000004.
    exact = Decimal(value) if isinstance(value, int) else Decimal(f"{value:.12g}")
    if exact.adjusted() + decimals < 26:  # a Decimal's own precision
        exact = exact.quantize(Decimal(1).scaleb(-decimals), _MODES[rounding])
    return f"{exact + 0:,.{decimals}f}".replace(",", SPACE).replace("-", "−" if exact else "")


def number(value: Any, digits: int = 3, rounding: Rounding = "nearest") -> str:
    """Write a number for reading: whole ones as they are, others to ``digits`` significant ones."""
    if not is_number(value):
        return MISSING
    if abs(value) >= _LARGE or 0 < abs(value) < _SMALL:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{number(float(mantissa), digits)} × 10{str(int(exponent)).translate(_RAISED)}"
    if isinstance(value, int) or abs(value) >= 10 ** (digits - 1):
        return fixed(value, 0, rounding)
    decimals = digits - 1 - Decimal(f"{value:.12g}").adjusted()
    text = fixed(value, decimals, rounding) if value else "0"
    return text.rstrip("0").rstrip(".") if "." in text else text


def percent(share: Any, digits: int | None = 1, rounding: Rounding = "nearest") -> str:
    """Write a share as per cent with ``digits`` decimals; None: as many as it has."""
    if not is_number(share):
        return MISSING
    return f"{_percent_alone(share, digits, rounding)}{SPACE}%"


def points(difference: Any, digits: int | None = 1, rounding: Rounding = "nearest") -> str:
    """Write a difference of two shares in percentage points with ``digits`` decimals; None: as many as it has."""
    if not is_number(difference):
        return MISSING
    if digits is None:
        return f"{difference * 100:.6g}".replace("-", "−")
    return fixed(difference * 100, digits, rounding)


def interval(measured: Any, digits: int = 1) -> str:
    """Write the bounds of an interval of a share. ``measured``: a mapping or an object with ``low`` and ``high``."""
    bounds = _bounds(measured)
    if bounds is None:
        return MISSING
    low, high = bounds
    return _range(low, points(low, digits, "down"), points(high, digits, "up")) + f"{SPACE}%"


def span(measured: Any, digits: int = 3) -> str:
    """Write the bounds of an interval of plain numbers."""
    bounds = _bounds(measured)
    if bounds is None:
        return MISSING
    return _range(bounds[0], number(bounds[0], digits, "down"), number(bounds[1], digits, "up"))


def estimate(measured: Any, digits: int = 1) -> str:
    """Write a share with its interval: ``99.0 % (98.1–99.5 %)``. ``measured``: as :func:`interval`, with a
    ``value``."""
    value = _part(measured, "value")
    return f"{percent(value, digits)} ({interval(measured, digits)})" if is_number(value) else MISSING


def drop(measured: Any, digits: int = 1) -> str:
    """Write a difference of two shares with its interval: ``1.2 points (−0.1 to 2.5)``."""
    value, bounds = _part(measured, "value"), _bounds(measured)
    if not is_number(value) or bounds is None:
        return MISSING
    low, high = bounds
    between = _range(low, points(low, digits, "down"), points(high, digits, "up"))
    return f"{points(value, digits)}{SPACE}points ({between})"


def measure(measured: Any, digits: int = 3) -> str:
    """Write a plain number with its interval: ``3.21 (3.05–3.40)``; a number alone as it is."""
    value = _part(measured, "value")
    return f"{number(value, digits)} ({span(measured, digits)})" if is_number(value) else number(measured, digits)


def duration(seconds: Any) -> str:
    """Write seconds as ``4.2 s``, ``41 s``, ``3 min 12 s``, ``2 h 05 min`` or ``1 d 3 h``."""
    if not is_number(seconds):
        return MISSING
    if seconds < 9.95:
        parts = [(fixed(seconds, 1), "s")]
    elif (whole := round(seconds)) < 60:
        parts = [(str(whole), "s")]
    elif whole < 3600:
        parts = [(str(whole // 60), "min"), (f"{whole % 60:02d}", "s")]
    elif whole < 86400:
        parts = [(str(whole // 3600), "h"), (f"{whole % 3600 // 60:02d}", "min")]
    else:
        parts = [(str(whole // 86400), "d"), (str(whole % 86400 // 3600), "h")]
    return " ".join(f"{count}{SPACE}{unit}" for count, unit in parts)


def size(count: Any) -> str:
    """Write a number of bytes as ``999 B``, ``1.2 MB`` or ``3.4 GB``."""
    if not is_number(count):
        return MISSING
    for unit in ("B", "kB", "MB"):
        if count < 999.95:
            return f"{fixed(count, 0 if unit == 'B' else 1)}{SPACE}{unit}"
        count /= 1000
    return f"{fixed(count, 1)}{SPACE}GB"


def _percent_alone(share: float, digits: int | None, rounding: Rounding) -> str:
    if digits is None:
        return f"{share * 100:.6g}"
    text = fixed(share * 100, digits, rounding)
    if rounding == "nearest" and share < 1 and text == fixed(100, digits):
        return f"> {fixed(100 - 10.0**-digits, digits)}"
    if rounding == "nearest" and share > 0 and text == fixed(0, digits):
        return f"< {fixed(10.0**-digits, digits)}"
    return text


def _range(low: float, low_text: str, high_text: str) -> str:
    """A dash would read as a minus beside one."""
    return f"{low_text}–{high_text}" if low >= 0 else f"{low_text} to {high_text}"


def _part(measured: Any, name: str) -> Any:
    return measured.get(name) if isinstance(measured, Mapping) else getattr(measured, name, None)


def _bounds(measured: Any) -> tuple[float, float] | None:
    low, high = _part(measured, "low"), _part(measured, "high")
    return (low, high) if is_number(low) and is_number(high) else None


def moment(text: str) -> str:
    """Write an ISO 8601 time in UTC, to the minute; as it is if it is not one."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    except ValueError:
        return text


FILTERS = {
    "percent": percent,
    "interval": interval,
    "estimate": estimate,
    "points": points,
    "drop": drop,
    "number": number,
    "span": span,
    "duration": duration,
    "size": size,
    "moment": moment,
    "override": written_in_words,
}
"""By the names that the templates use."""
