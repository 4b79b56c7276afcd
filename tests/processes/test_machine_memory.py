"""The memory that our process may have: the machine's, or what a control group leaves of it."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from processes.control_groups import MemoryGroup
from processes.machine_memory import machine_memory


def test_the_machines_where_nothing_limits_it(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    assert machine_memory([tmp_path / "memory.max", tmp_path / "none"]) == psutil.virtual_memory().total
    assert 0 < machine_memory() <= psutil.virtual_memory().total


@pytest.mark.parametrize("version", [1, 2])
def test_the_smallest_limit_of_all_groups_around(tmp_path: Path, version: int) -> None:
    group = MemoryGroup(tmp_path / "pod/container", tmp_path, version)
    group.folder.mkdir(parents=True)
    files = list(group.files("memory.limit_in_bytes", "memory.max"))
    assert [path.parent for path in files] == [group.folder, tmp_path / "pod", tmp_path]
    for path, limit in zip(files, ("3000000", "2000000", str(2**63 - 4096)), strict=True):
        path.write_text(limit)
    assert machine_memory(files) == 2_000_000
