"""One program that runs beside us: started by exec, asked to stop, ended for certain with all that it has started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypedDict

from processes.logs import tail

_PAUSE = 0.02  # seconds between two looks


class User(TypedDict, total=False):
    """The user that a program runs as, where that is not us."""

    user: int
    group: int
    extra_groups: list[int]


class Process:
    """A running program. It has a session of its own: Ctrl-C in the terminal, and a signal to our group, are for us,
    who then stop it in good order.

    Args:
        log: gets what it writes, after what is there.
        environment: beside ours, and above it.
        descriptors: open files that it inherits.
        tied: it is killed when we end, however we end. The thread that starts it must then outlive it: the kernel
            ties it to that thread.
        whole: what it leaves of its process group when it ends is killed too.
        pipes: we hold its standard input and output; only its errors go to ``log``.

    Raises:
        OSError: where it cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        folder: str | None = None,
        descriptors: Sequence[int] = (),
        user: User | None = None,
        tied: bool = False,
        whole: bool = True,
        pipes: bool = False,
    ) -> None:
        self.log = log
        self.exit_code: int | None = None
        self._whole = whole
        tie = [sys.executable, "-P", "-m", "processes.tied", str(os.getpid())] if tied else []
        with log.open("ab") as stream:
            self._process = subprocess.Popen(
                [*tie, *command],
                stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipes else stream,
                stderr=stream,
                env={**os.environ, **(environment or {})},
                cwd=folder,
                start_new_session=True,
                pass_fds=descriptors,
                **(user or User()),
            )
        self.pid = self._process.pid

    def ended(self) -> bool:
        """Return whether it has ended. What is left of its group is killed before its id can be given away."""
        if self.exit_code is None and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            if self._whole:
                self._kill_group()
            self.exit_code = self._process.wait()
        return self.exit_code is not None

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
            self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL to it and its group, and reap it."""
        if not self.ended():
            self._kill_group()
            self._process.kill()
            self.exit_code = self._process.wait()

    def last_words(self) -> str:
        """Return the end of its log."""
        return tail(self.log)

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
