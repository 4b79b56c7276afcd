"""What is said of a name that is not known: which known one may be meant, and which there are. Plain: does not import
torch."""

from __future__ import annotations

import bisect
import difflib
from collections.abc import Collection, Iterable, Sequence

LISTED = 50
"""Names that a message lists: a model may have thousands."""
COMPARED = 1000
"""Names that one is compared with; of more, which takes a fifth of a second for each that is wrong, its neighbours."""
NEIGHBOURS = 100
"""On either side, by the alphabet."""
ALIKE = 0.6
"""How much of two names must agree for one to be suggested for the other, of 1."""
MISSPELT = 0.85
"""The same where a name could also be meant as it stands."""


def unknown(kind: str, name: str, known: Collection[str]) -> str:
    """Say that ``name`` is no ``kind`` that is known, which one may be meant, and which there are."""
    return f"unknown {kind} {name!r}{did_you_mean(name, known)}; known: {listed(known)}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question in brackets, to stand after ``name``; nothing where no known name is like it."""
    found = nearest(name, known)
    return f" (did you mean {found!r}?)" if found is not None else ""


def nearest(name: str, known: Iterable[str], alike: float = ALIKE) -> str | None:
    """Find the known name that is most like ``name``, in any case; None where none is ``alike`` enough."""
    folded = name.casefold()
    by_folded = {each.casefold(): each for each in known}
    compared = by_folded if len(by_folded) <= COMPARED else _neighbours(folded, sorted(by_folded))
    found = difflib.get_close_matches(folded, compared, n=1, cutoff=alike)
    return by_folded[found[0]] if found else None


def _neighbours(name: str, names: Sequence[str]) -> Sequence[str]:
    """Those of many sorted names that begin most like ``name``."""
    at = bisect.bisect(names, name)
    return names[max(0, at - NEIGHBOURS) : at + NEIGHBOURS]


def listed(known: Collection[str]) -> str:
    """List names, those of a long list in part."""
    names = list(known)
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
