"""What the tests of one machine share: a data folder that leaves nothing behind, and waiting for what is to happen."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from local import locks

_PROGRAMS = Path(__file__).parent / "programs"


def eventually(happens: Callable[[], object], seconds: float = 15.0) -> None:
    """Wait until ``happens()`` is true; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.02)


def processes_of(root: Path) -> list[psutil.Process]:
    """Every living process, but us, that was started for the data folder ``root``."""
    found = []
    for process in psutil.process_iter():
        try:
            mine = (
                process.environ().get("LETHE_DATA_DIR") == str(root)  # api, workers and what they start
                or str(root) in process.cmdline()  # the caretaker, and a test's own programs
                or Path(process.cwd()).is_relative_to(root)  # servers: both live in their data
            )
            if mine and process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def served(root: Path) -> bool:
    """Whether any server or caretaker of ``root`` lives."""
    return any(locks.is_held(lock) for lock in (root / "locks").glob("*"))


def run_program(name: str, *arguments: str | Path, **environment: str) -> subprocess.Popen[str]:
    """Start ``tests/local/programs/<name>.py`` with variables beside ours; what it prints can be read."""
    command = [sys.executable, str(_PROGRAMS / f"{name}.py"), *map(str, arguments)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env={**os.environ, **environment})


def says(process: subprocess.Popen[str]) -> str:
    """The next line that the program prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


@pytest.fixture
def root() -> Iterator[Path]:
    """A data folder; afterwards nothing of it may run, whatever the test did."""
    # Not pytest's own temporary folder: as root that is closed to the user Postgres runs as, which has its own test.
    folder = Path(tempfile.mkdtemp(prefix="lethe-test-", dir="/tmp"))
    folder.chmod(0o711)
    data = folder / "data"
    yield data
    if data.is_dir():
        eventually(lambda: not served(data) and not processes_of(data))
    shutil.rmtree(folder)
