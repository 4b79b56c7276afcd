"""One process that a supervisor keeps: started, looked at, stopped by process id and with all that it has started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_LARGE_LOG = 10 * 1024 * 1024  # bytes; larger at a start, it is put aside and the one before that is gone


@dataclass(frozen=True)
class Program:
    """What to run. ``grace``: seconds between SIGTERM and SIGKILL when it is to stop."""

    name: str
    command: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """Beside ours, and above it."""
    grace: float = 10.0


class Process:
    """A running program. The thread that makes it must outlive it: the kernel ties the child to that thread."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.exit_code: int | None = None
        program.log.parent.mkdir(parents=True, exist_ok=True)
        _put_aside(program.log)
        with open(program.log, "ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "local.child", str(os.getpid()), *program.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **program.environment},
                start_new_session=True,  # Ctrl-C in the terminal is for the supervisor, who stops all in good order
            )
        self.pid = self._process.pid
        self.started = time.monotonic()

    def ended(self) -> bool:
        """Whether it has ended. What is left of its process group is then killed before its id can be given away."""
        if self.exit_code is None and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            self._signal_group(signal.SIGKILL)
            self.exit_code = self._process.wait()
        return self.exit_code is not None

    def ask_to_stop(self) -> None:
        """SIGTERM to the process alone: what it has started is its own to stop."""
        if not self.ended():
            self._process.terminate()

    def kill(self) -> None:
        """SIGKILL to the process and its group, and reap it."""
        if not self.ended():
            self._signal_group(signal.SIGKILL)
            self._process.kill()
            self.exit_code = self._process.wait()

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)


def _put_aside(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LARGE_LOG:
        log.replace(log.with_suffix(".log.1"))
