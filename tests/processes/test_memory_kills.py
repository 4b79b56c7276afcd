"""A process that the kernel kills for its memory is told from one that somebody kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from processes.memory_kills import MemoryKills, counters_of_this_process

GREEDY = "import sys; x = bytearray(200 << 20); sys.stdin.read()"


def test_counters(tmp_path: Path) -> None:
    events, machine = tmp_path / "memory.events", tmp_path / "vmstat"
    events.write_text("low 0\nhigh 0\noom 3\noom_kill 2\noom_group_kill 9\n")
    machine.write_text("nr_free_pages 1\noom_kill 2\n")
    kills = MemoryKills([events, machine, tmp_path / "none"])
    assert not kills.any_more()
    events.write_text("low 0\nhigh 0\noom 9\noom_kill 2\noom_group_kill 12\n")
    assert not kills.any_more(), "a limit that was reached killed nobody"
    events.write_text("low 0\nhigh 0\noom 9\noom_kill 3\noom_group_kill 12\n")
    assert kills.any_more()
    assert not MemoryKills([events, machine]).any_more(), "one that was before"
    assert not MemoryKills([]).any_more()


@pytest.mark.skipif(sys.platform != "linux", reason="counters are Linux's")
def test_the_machine_has_a_counter() -> None:
    assert any("oom_kill" in path.read_text() for path in counters_of_this_process() if path.is_file())


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group whose processes may have 60 MB together."""
    versions = ((Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"), (Path("/sys/fs/cgroup"), "memory.max"))
    for root, limit in versions:
        group = root / f"lethe-test-{uuid.uuid4().hex[:8]}"
        try:
            group.mkdir()
            (group / limit).write_text(str(60 << 20))
        except OSError:
            continue
        yield group
        group.rmdir()
        return
    pytest.skip("no control group can be made here")


def test_a_real_kill_for_memory_and_one_by_hand(small_group: Path) -> None:
    def start(command: str) -> subprocess.Popen[bytes]:
        join = f"echo $$ > {small_group}/cgroup.procs && exec {sys.executable} -c '{command}'"
        return subprocess.Popen(["/bin/sh", "-c", join], stdin=subprocess.PIPE)

    counters = [*counters_of_this_process(), small_group / "memory.events", small_group / "memory.oom_control"]
    kills = MemoryKills(counters)
    waits = start("import sys; sys.stdin.read()")
    os.kill(waits.pid, signal.SIGKILL)
    assert waits.wait(30) == -signal.SIGKILL
    assert not kills.any_more()
    assert start(GREEDY).wait(30) == -signal.SIGKILL
    assert kills.any_more()
