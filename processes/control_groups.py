"""The control groups of Linux in which our process is, as far as they are about memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ROOTS = {"": (Path("/sys/fs/cgroup"), 2), "memory": (Path("/sys/fs/cgroup/memory"), 1)}
"""Where groups lie and of which version they are, by what /proc calls their controllers."""


@dataclass(frozen=True)
class MemoryGroup:
    """A control group for memory: its ``folder``, below the ``root`` of all, in ``version`` 1 or 2."""

    folder: Path
    root: Path
    version: int

    def files(self, of_version_1: str, of_version_2: str) -> Iterator[Path]:
        """List the file that is so called in either version, of the group and of each that it lies in."""
        name = of_version_1 if self.version == 1 else of_version_2
        folder = self.folder
        while folder.is_relative_to(self.root):
            yield folder / name
            folder = folder.parent


def memory_groups() -> tuple[MemoryGroup, ...]:
    """Return the groups of our process; none on other systems."""
    try:
        groups = [line.split(":", 2) for line in Path("/proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return ()
    found = []
    for _, controllers, group in groups:
        if controllers in _ROOTS:
            root, version = _ROOTS[controllers]
            found.append(MemoryGroup(root / group.lstrip("/"), root, version))
    return tuple(found)
