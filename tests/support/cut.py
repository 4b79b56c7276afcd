"""A process that is killed in the middle of what it does, without a word: at its n-th step, or at a byte of a file."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any

STEPS = frozenset({"open", "os.mkdir", "os.rename", "os.link", "os.remove", "shutil.rmtree", "socket.connect"})
"""What Python itself hears of, of all that leaves a trace on a disk."""


def forked(work: Callable[[], object]) -> int:
    """Do ``work`` in a child that is forked from this process. Returns its exit status, negative for a signal."""
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def kill_itself() -> None:
    """End this process as the kernel ends one: no handler runs."""
    os.kill(os.getpid(), signal.SIGKILL)


class Countdown:
    """Kills this process at the ``at``-th :meth:`step`."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self, *_: Any) -> None:
        self.left -= 1
        if self.left == 0:
            kill_itself()

    def hear(self) -> None:
        """From now on every step at a disk is one, until the process ends."""
        sys.addaudithook(lambda event, _: self.step() if event in STEPS else None)


def killed_at_byte(size: int) -> None:
    """Have this process be killed as it writes byte ``size`` of any file."""
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
