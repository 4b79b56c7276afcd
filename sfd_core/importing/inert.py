"""What a pickle asks to be made, kept as a note of it: nothing of it is looked up, imported or called."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Name:
    """A name that a pickle asks for, such as ``torch._utils._rebuild_tensor_v2``."""

    path: str


@dataclass(frozen=True)
class PersistentId:
    """A reference of a pickle to something outside of it; of torch: ("storage", type, key, device, length)."""

    value: Any


@dataclass(eq=False)
class Record:
    """An object as a pickle describes it: the name of what would make it, and with what. ``arguments``: positional;
    ``state``: what it would be given then; ``items``, ``entries``: of a list or a dict of a class of its own."""

    kind: str
    arguments: tuple[Any, ...] = ()
    state: Any = None
    items: list[Any] = field(default_factory=list)
    entries: dict[Any, Any] = field(default_factory=dict)
