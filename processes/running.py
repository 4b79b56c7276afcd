"""A program that runs beside us, whoever started it: followed, asked to stop, ended for certain with all that it has
started."""

from __future__ import annotations

import os
import signal
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path

from processes.logs import tail

_PAUSE = 0.02  # seconds between two looks


class Running(ABC):
    """A running program that leads a session of its own: Ctrl-C in the terminal, and a signal to our group, are for
    us, who then stop it in good order.

    Args:
        pid: its id, and its group's.
        log: what it writes.
    """

    def __init__(self, pid: int, log: Path) -> None:
        self.pid, self.log = pid, log
        self.exit_code: int | None = None

    @abstractmethod
    def ended(self) -> bool:
        """Return whether it has ended, with ``exit_code`` set: as of ``subprocess``."""

    @abstractmethod
    def _reap(self) -> int:
        """Wait for the end of a program that was killed. Returns its exit status."""

    def wait(self, timeout: float) -> int | None:
        """Return the exit status, or None if it still runs after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        while not self.ended():
            if time.monotonic() >= deadline:
                return None
            time.sleep(_PAUSE)
        return self.exit_code

    def ask_to_stop(self) -> None:
        """Send SIGTERM to the program alone: what it has started is its own to stop."""
        if not self.ended():
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL to it and its group, and see it gone."""
        if not self.ended():
            kill_group(self.pid)
            self._signal(signal.SIGKILL)
            self.exit_code = self._reap()

    def last_words(self) -> str:
        """Return the end of its log."""
        return tail(self.log)

    def _signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)


def kill_group(pid: int) -> None:
    """Kill what there is of the process group of ``pid``."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
