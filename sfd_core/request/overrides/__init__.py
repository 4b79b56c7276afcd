"""What may be drawn instead of a forgotten concept, one kind a file. Plain: does not import torch."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import reduce
from operator import or_
from typing import Annotated, Any

from pydantic import Field

from sfd_core.discovery import discover
from sfd_core.request.override import Override, OverrideKind
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.request.reading import read, written
from sfd_core.suggestions import MISSPELT, nearest

KINDS = discover(__name__, "KIND", OverrideKind)
"""In the order of documents."""
IN_FORM = tuple(sorted(KINDS, key=lambda kind: kind.place_in_form))
"""In the order of the form."""
KEYED: Mapping[str, OverrideKind] = {kind.key: kind for kind in KINDS if kind.key}
"""Those that are written as an object, by its key."""

_EXAMPLES = [kind.example for kind in KEYED.values()]
OVERRIDES = (
    f"must be the name of a concept or the words that replace it, {', '.join(_EXAMPLES[:-1])} or {_EXAMPLES[-1]}"
)

_AS_TEXT: Any = Annotated[str, Field(min_length=1, max_length=1000)]
AnyOverride: Any = reduce(or_, (kind.override for kind in KEYED.values()), _AS_TEXT)
"""How an override is written, for the schema."""


def read_override(raw: Any) -> Override:
    """Read an override as requests write it: words, or an object with one key; :data:`OVERRIDES` lists them.

    Raises:
        ValueError: for anything else (``InvalidRequest`` where the key is known).
    """
    if isinstance(raw, str):
        return FixedOverride(raw)
    if isinstance(raw, Mapping) and len(raw) == 1 and (kind := KEYED.get(next(iter(raw)))) is not None:
        return read(kind.override, raw)
    raise ValueError(OVERRIDES)


def written_override(override: Override) -> str | dict[str, Any]:
    """Write ``override`` as requests do."""
    return override.concept if isinstance(override, FixedOverride) else dict(written(override))


def keyword_meant(override: Override, known: Collection[str]) -> str | None:
    """Say how a kind of override is written, where ``override`` is text that looks like it ("Random", "Negative: gun")
    and none of the ``known`` names; None where it does not."""
    if not isinstance(override, FixedOverride) or override.concept in known:
        return None
    key, colon, _ = override.concept.partition(":")
    # A misspelt word alone may be any word: Jude is no judge.
    kind = KEYED.get(nearest(key.strip(), KEYED, MISSPELT if colon else 1) or "")
    if kind is None or (colon and kind.takes == "nothing"):
        return None
    return (
        f"{override.concept!r} looks like the override {kind.key!r}: write {kind.example} "
        f"(on the command line {kind.on_command_line})"
    )


def not_for_classes(override: Override) -> str | None:
    """Say why a class-conditional model cannot be asked for ``override``; None where it can."""
    if any(isinstance(override, kind.override) for kind in KINDS if kind.for_classes is not None):
        return None
    said = " or ".join(kind.key for kind in KEYED.values() if kind.for_classes is not None)
    return f"a class-conditional model has no prompts: name a concept, or say {said}"
