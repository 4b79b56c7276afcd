"""What JSON can say and nothing behind it can keep or repeat: found before anything else looks at it. Plain: does not
import torch."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterator
from typing import Any

MAX_DEPTH = 64
"""Objects and lists within each other: far from where programs that follow them run out of stack."""
MAX_WHOLE = 2**63 - 1
"""The largest whole number, either side of zero, that databases and other languages hold."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def faults(value: Any, most_members: float = math.inf, most_items: float = math.inf) -> Iterator[tuple[str, str]]:
    """Yield a JSON pointer (RFC 6901) and what is wrong, for each such value: half a surrogate pair or a NUL character
    in a text or a key, a whole number of more than 64 bits, NaN and infinity, and what is nested too deep.
    ``most_members``: of an object, and ``most_items``: of a list; one that has more is not looked into."""
    waiting: deque[tuple[tuple[str, ...], Any]] = deque([((), value)])  # no recursion: the depth is in question
    while waiting:
        parts, one = waiting.popleft()
        if (wrong := _wrong(one)) is not None:
            yield _pointer(parts), wrong
        elif isinstance(one, dict | list) and len(parts) >= MAX_DEPTH:
            yield _pointer(parts), f"is nested deeper than {MAX_DEPTH}"
        elif isinstance(one, dict) and len(one) > most_members:
            yield _pointer(parts), f"has {len(one)} members; at most {most_members} are read"
        elif isinstance(one, list) and len(one) > most_items:
            yield _pointer(parts), f"has {len(one)} items; at most {most_items} are read"
        elif isinstance(one, dict):
            for name, within in one.items():
                if (wrong := _wrong(name)) is not None:
                    yield _pointer((*parts, name)), f"its name {wrong}"
                waiting.append(((*parts, name), within))
        elif isinstance(one, list):
            waiting.extend(((*parts, str(i)), within) for i, within in enumerate(one))


def readable(text: str) -> str:
    """Return ``text`` with half surrogate pairs replaced, so that it can be written as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _wrong(value: Any) -> str | None:
    match value:
        case str() if _UNSTORABLE.search(value):
            return "holds a NUL character or half a surrogate pair"
        case bool():
            return None
        case int() if abs(value) > MAX_WHOLE:
            return f"must be a whole number from {-MAX_WHOLE} to {MAX_WHOLE}"
        case float() if not math.isfinite(value):
            return "must be a finite number"
    return None


def _pointer(parts: tuple[str, ...]) -> str:
    return "".join("/" + readable(part).replace("~", "~0").replace("/", "~1") for part in parts)
