"""A program that is started by exec."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TypedDict

from processes.running import Running, kill_group


class User(TypedDict, total=False):
    """The user that a program runs as, where that is not us."""

    user: int
    group: int
    extra_groups: list[int]


class Process(Running):
    """A running program that exec started.

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
        super().__init__(self._process.pid, log)

    @property
    def pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        """Its standard input and output, if we hold them."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        return self._process.stdin, self._process.stdout

    def ended(self) -> bool:
        """Return whether it has ended. What is left of its group is killed before its id can be given away."""
        if self.exit_code is None and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
            if self._whole:
                kill_group(self.pid)
            self.exit_code = self._reap()
        return self.exit_code is not None

    def _reap(self) -> int:
        return self._process.wait()
