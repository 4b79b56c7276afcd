"""Whether the kernel has killed a process for its memory: SIGKILL gives no reason, the kernel's counters do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
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
    """Return the files that count for our process: of version 2 of control groups, of version 1, of the machine."""
    try:
        groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        groups = []
    found = []
    for _, controllers, group in groups:
        if not controllers:
            found.append(_CGROUPS / group.lstrip("/") / "memory.events")
        elif controllers == "memory":
            found.append(_CGROUPS / "memory" / group.lstrip("/") / "memory.oom_control")
    return (*found, Path("/proc/vmstat"))


def _count(path: Path) -> int:
    try:
        match = _COUNT.search(path.read_text())
    except OSError:
        return 0
    return int(match[1]) if match else 0
