"""Starting and stopping one embedded server, whichever: Postgres and Valkey differ only behind the protocol.

Whether a server is alive is whether its lock is held: the server inherits the locked descriptor, and so do all its
children. A server that was killed and whose children still die keeps the lock until the last of them is gone.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Protocol

from local import locks
from local.errors import ServerError
from processes.logs import tail
from processes.process import Process, User

_PAUSE = 0.03  # seconds between two looks


class Server(Protocol):
    """One kind of server on one data folder."""

    name: str
    url: str
    lock: Path
    log: Path

    def ready(self) -> bool:
        """Return whether it answers."""

    def prepare(self, lock: int) -> None:
        """Make its data where there is none and clear what a killed one left. Whatever it starts inherits ``lock``."""

    def command(self) -> list[str]:
        """Return what to exec."""

    def descriptors(self) -> list[int]:
        """Return the open descriptors that it needs besides the lock."""

    def user(self) -> User:
        """Return who it runs as."""

    def after_start(self) -> None:
        """Do what needs a server that answers, such as making the database. May be called again. Raises ServerError."""

    def ask_to_stop(self) -> None:
        """Ask for a clean stop. May raise OSError or ValueError where there is nobody to ask."""

    def close(self) -> None:
        """Let go of what this process holds open; a server that runs keeps its own hold."""


class Running:
    """A server that we have started or joined; ``process`` is ours to reap if we started it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._process: Process | None = None

    def alive(self) -> bool:
        """Return whether the server's process, or a child of it, exists (not whether it answers)."""
        if self._process is not None:
            self._process.ended()  # and reaped
        return locks.is_held(self.server.lock)

    def ensure(self, timeout: float = 60.0) -> None:
        """Start the server unless it runs, and return once it answers. ``timeout`` in seconds; raises ServerError."""
        server = self.server
        started: Process | None = None
        deadline = time.monotonic() + timeout
        while not server.ready():
            if started is not None and started.ended():
                raise ServerError(f"{server.name} ended with {started.exit_code} at its start\n{tail(server.log)}")
            if time.monotonic() > deadline:
                raise ServerError(f"{server.name} does not answer after {timeout:.0f} s\n{tail(server.log)}")
            # Held elsewhere: another process starts it, or it recovers, or a killed one still dies. Ask again.
            descriptor = locks.try_alone(server.lock) if started is None else None
            if descriptor is not None:
                try:
                    server.prepare(descriptor)
                    started = self._process = self._start(descriptor)
                finally:
                    os.close(descriptor)
            time.sleep(_PAUSE)
        server.after_start()

    def _start(self, lock: int) -> Process:
        return Process(
            self.server.command(),
            self.server.log,
            folder="/",
            descriptors=[lock, *self.server.descriptors()],
            user=self.server.user(),
            whole=False,  # its children end by themselves, in good order, and hold the lock until then
        )

    def stop(self, timeout: float = 30.0) -> None:
        """Stop the server cleanly and return once all its processes are gone. Raises ServerError."""
        begun = time.monotonic()
        asked = 0
        while self.alive():
            elapsed = time.monotonic() - begun
            if elapsed > timeout:
                raise ServerError(f"{self.server.name} does not stop\n{tail(self.server.log)}")
            if elapsed >= asked:  # again each second: one that was still starting may not have heard
                asked += 1
                with contextlib.suppress(OSError, ValueError):
                    self.server.ask_to_stop()
            time.sleep(_PAUSE)
