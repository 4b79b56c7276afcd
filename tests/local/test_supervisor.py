"""The supervisor, with real children: restarts, giving up, the order of stopping, and its own violent end."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest

from local.errors import ChildError
from local.program import Program
from local.services import services
from local.supervisor import Patience, Supervisor
from tests.local.conftest import eventually, kill, run_program, says

# Notes its SIGTERM in a shared file, then ends.
POLITE = """
import signal, sys, time
def end(*_):
    with open(sys.argv[2], "a") as notes:
        notes.write(sys.argv[1] + "\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(600)
"""
# Does not hear SIGTERM, and has started another process, whose id it writes to a file.
DEAF = """
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
pathlib.Path(sys.argv[1]).write_text(str(other.pid))
print("ready", flush=True)
time.sleep(600)
"""
QUICK = Patience(times=3, seconds=60, first_delay=0.05)


@pytest.fixture
def folder(root: Path) -> Path:
    root.mkdir()
    return root


def program(folder: Path, name: str, code: str, *arguments: str | Path, grace: float = 10) -> Program:
    command = (sys.executable, "-c", code, *map(str, arguments))
    return Program(name, command, folder / f"{name}.log", grace=grace)


def is_ready(program: Program) -> bool:
    return program.log.exists() and "ready" in program.log.read_text()


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_stops_in_the_order_of_its_stages(folder: Path) -> None:
    notes = folder / "notes"
    stages = [[program(folder, name, POLITE, name, notes)] for name in ("api", "worker", "last")]
    supervisor = Supervisor(stages)
    supervisor.start()
    eventually(lambda: all(is_ready(stage[0]) for stage in stages))
    pids = supervisor.pids()
    supervisor.stop()
    assert notes.read_text().split() == ["api", "worker", "last"]
    assert all(gone(pid) for pid in pids.values())
    assert supervisor.failure is None


def test_a_dead_child_is_started_again(folder: Path) -> None:
    lines: list[str] = []
    child = program(folder, "child", POLITE, "child", folder / "notes")
    supervisor = Supervisor([[child]], patience=QUICK, say=lines.append)
    supervisor.start()
    eventually(lambda: is_ready(child))
    first = supervisor.pids()["child"]
    kill(first)
    eventually(lambda: supervisor.pids().get("child", first) != first)
    supervisor.stop()
    assert len(lines) == 1
    assert lines[0].startswith("child has ended with -9: it is started again in 0.05 s")


def test_a_child_that_ends_again_and_again_stops_the_whole(folder: Path) -> None:
    notes = folder / "notes"
    good = program(folder, "good", POLITE, "good", notes)
    bad = program(folder, "bad", "import sys; sys.exit('no such model')")
    supervisor = Supervisor([[good], [bad]], patience=QUICK)
    supervisor.start()
    assert supervisor.wait(20)
    assert isinstance(supervisor.failure, ChildError)
    assert "bad has ended with 1, too often" in str(supervisor.failure)
    assert str(supervisor.failure).endswith("no such model"), "the reason is in the log, and is shown"
    supervisor.stop()


def test_a_program_that_does_not_exist_is_a_failure_with_its_name(folder: Path) -> None:
    absent = Program("absent", (str(folder / "absent"),), folder / "absent.log")
    supervisor = Supervisor([[absent]], patience=QUICK)
    supervisor.start()
    assert supervisor.wait(20)
    assert "No such file or directory" in str(supervisor.failure)


def test_a_deaf_child_is_killed_after_its_grace_with_what_it_started(folder: Path) -> None:
    child = program(folder, "deaf", DEAF, folder / "other", grace=0.3)
    supervisor = Supervisor([[child]])
    supervisor.start()
    eventually(lambda: is_ready(child))
    pid, other = supervisor.pids()["deaf"], int((folder / "other").read_text())
    begun = time.monotonic()
    supervisor.stop()
    assert 0.3 <= time.monotonic() - begun < 5
    assert gone(pid)
    eventually(lambda: gone(other))


def test_asked_to_hurry_it_waits_for_nobody(folder: Path) -> None:
    child = program(folder, "deaf", DEAF, folder / "other", grace=600)
    supervisor = Supervisor([[child]], hurry=lambda: True)
    supervisor.start()
    eventually(lambda: is_ready(child))
    pid = supervisor.pids()["deaf"]
    supervisor.stop()
    assert gone(pid)


def test_what_a_dead_child_had_started_dies_with_it(folder: Path) -> None:
    child = program(folder, "deaf", DEAF, folder / "other")
    process = child.start()
    eventually(lambda: is_ready(child))
    other = int((folder / "other").read_text())
    kill(process.pid)
    eventually(process.ended)
    eventually(lambda: gone(other))
    assert process.exit_code == -9


def test_kill_of_the_supervisor_leaves_no_children(folder: Path) -> None:
    supervisor = run_program("supervise", folder)
    pids = [int(word) for word in says(supervisor).split()]
    assert len(pids) == 2
    assert not any(gone(pid) for pid in pids)
    supervisor.kill()
    supervisor.communicate()
    eventually(lambda: all(gone(pid) for pid in pids))


def test_a_server_that_dies_is_started_again(folder: Path) -> None:
    lines: list[str] = []
    with services(folder) as both:
        supervisor = Supervisor([], [service.running for service in both], say=lines.append)
        supervisor.start()
        postmaster = folder / "postgres/18/postmaster.pid"
        first = int(postmaster.read_text().split()[0])
        kill(first)
        eventually(lambda: lines)
        eventually(both.postgres.running.server.ready)
        supervisor.stop()
        assert supervisor.failure is None
        assert int(postmaster.read_text().split()[0]) != first
    assert lines == ["postgres has ended: it is started again"]


def test_a_large_log_is_put_aside_at_a_start(folder: Path) -> None:
    log = folder / "child.log"
    log.write_bytes(b"old\n" * 3_000_000)
    process = program(folder, "child", POLITE, "child", folder / "notes").start()
    assert log.stat().st_size < 1000
    assert (folder / "child.log.1").stat().st_size == 12_000_000
    process.kill()
