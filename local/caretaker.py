"""Stops the servers when all who used them were killed: run as ``python -m local.caretaker <root> <lock>``.

One small process a data folder. It asks once a second whether anybody is left. A user who leaves in good order stops
the servers, and the caretaker, by itself; this is for kill -9, after which nobody else is there to do it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from local import locks
from local.servers import stop_servers, users_lock
from processes.process import Process

_PAUSE = 1.0  # seconds between two looks


def _lock(root: Path) -> Path:
    return root / "locks" / "caretaker"


def start(root: Path) -> Process | None:
    """Start the caretaker of ``root`` unless there is one; the process, if it is ours."""
    descriptor = locks.try_alone(_lock(root))
    if descriptor is None:
        return None
    try:
        os.ftruncate(descriptor, 0)  # the id in it is no longer anybody's; the new one writes its own
        command = [sys.executable, "-P", "-m", "local.caretaker", str(root), str(descriptor)]
        return Process(command, root / "logs" / "caretaker.log", folder="/", descriptors=[descriptor])
    finally:
        os.close(descriptor)


def stop(root: Path, ours: Process | None) -> None:
    """End the caretaker of ``root`` and return once it is gone. Only for the holder, alone, of the users' lock."""
    if ours is not None:
        ours.kill()
    while (descriptor := locks.try_alone(_lock(root))) is None:
        # Whoever holds the lock lives, so the id in it is its own.
        with contextlib.suppress(ValueError, ProcessLookupError):
            os.kill(int(_lock(root).read_text()), signal.SIGKILL)
        time.sleep(0.01)
    os.close(descriptor)


def _watch(root: Path) -> None:
    while (alone := locks.try_alone(users_lock(root))) is None:
        time.sleep(_PAUSE)
    try:
        stop_servers(root)
    finally:
        os.close(alone)


if __name__ == "__main__":
    os.write(int(sys.argv[2]), str(os.getpid()).encode())
    _watch(Path(sys.argv[1]))
