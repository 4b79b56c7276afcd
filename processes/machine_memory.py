"""How much memory our process and its children may have together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from processes.control_groups import memory_groups


def machine_memory(limits: Sequence[Path] | None = None) -> int:
    """Return the machine's memory in bytes, or the limit of a control group where that is less. ``limits``: the files
    that say such limits, ours where none are given."""
    if limits is None:
        limits = limits_of_this_process()
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *(limit for path in limits if (limit := _limit(path)) is not None)])


def limits_of_this_process() -> tuple[Path, ...]:
    """Return the files that say how much memory our control groups may have, and those that they lie in."""
    return tuple(path for group in memory_groups() for path in group.files("memory.limit_in_bytes", "memory.max"))


def _limit(path: Path) -> int | None:
    """What a file says in bytes; None where there is none, or ``max``."""
    try:
        said = path.read_text().strip()
    except OSError:
        return None
    return int(said) if said.isdecimal() and int(said) > 0 else None
