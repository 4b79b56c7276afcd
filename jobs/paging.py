"""Pages of a list, newest first, with an opaque cursor: what follows the last id seen (keyset), so that a page costs
the same wherever it is and neither repeats nor skips an item when new ones arrive."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Row

from jobs.errors import BadCursor
from jobs.ids import Kind, is_id

T = TypeVar("T")

MAX_LIMIT = 1000
_DIGITS = 18
"""Of a number that Postgres holds."""


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some items of a list. ``next``: the cursor of the page that follows, ``None`` on the last."""

    data: tuple[T, ...]
    next: str | None

    @property
    def has_more(self) -> bool:
        """Whether a page follows."""
        return self.next is not None


def cursor(last_id: str) -> str:
    """Make the cursor of what follows ``last_id``."""
    return base64.urlsafe_b64encode(last_id.encode()).decode().rstrip("=")


def read_cursor(kind: Kind, after: str) -> str:
    """Read the id in a cursor.

    Raises:
        BadCursor: if it is not one of this list.
    """
    text = _text_in(after)
    if not is_id(kind, text):
        raise _bad_cursor()
    return text


def read_number(after: str) -> int:
    """Read the number in a cursor, of a list whose items are counted.

    Raises:
        BadCursor: if it is not one of such a list.
    """
    text = _text_in(after)
    if not (text.isdecimal() and len(text) <= _DIGITS):
        raise _bad_cursor()
    return int(text)


def page(
    rows: Sequence[Row[Any]],
    limit: int,
    make: Callable[[Row[Any]], T],
    by: Callable[[Row[Any]], str] = lambda row: str(row.id),
) -> Page[T]:
    """Make a page from up to ``limit + 1`` rows: the one too many says that more follow. ``by``: what of a row the
    cursor names."""
    kept = rows[:limit]
    return Page(tuple(make(row) for row in kept), cursor(by(kept[-1])) if len(rows) > limit else None)


def _text_in(after: str) -> str:
    try:
        return base64.b64decode(after + "=" * (-len(after) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return ""


def _bad_cursor() -> BadCursor:
    return BadCursor("`after` must be the `next` of an earlier page of the same list")


def check_limit(limit: int) -> int:
    """Return ``limit``, or raise ``ValueError`` unless it is from 1 to ``MAX_LIMIT``."""
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"limit must be from 1 to {MAX_LIMIT}, not {limit}")
    return limit
