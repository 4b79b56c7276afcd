"""Whether the kernel has killed a process for its memory: SIGKILL gives no reason, the kernel's counters do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from processes.control_groups import memory_groups

_COUNT = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


class MemoryKills:
    """The kernel's counts of processes that it killed for their memory: of our control group, as containers have a
    limit, and of the whole machine. ``counters``: the files that have them; a system without any has no such kills."""

    def __init__(self, counters: Sequence[Path] | None = None) -> None:
        self._counters = counters_of_this_process() if counters is None else counters
        self._before = self._now()

    def any_more(self) -> bool:
        """Say whether there was one since this object was made."""
        return self._now() > self._before

    def _now(self) -> int:
        return sum(map(_count, self._counters))


def counters_of_this_process() -> tuple[Path, ...]:
    """Return the files that count for our process: of its control groups, and of the machine."""
    own = (next(group.files("memory.oom_control", "memory.events")) for group in memory_groups())
    return (*own, Path("/proc/vmstat"))


def _count(path: Path) -> int:
    try:
        match = _COUNT.search(path.read_text())
    except OSError:
        return 0
    return int(match[1]) if match else 0
