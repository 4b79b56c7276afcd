"""Processes that are forked by a server which has imported what they need (``processes.fork_server``)."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from processes.fork_server import Request
from processes.process import Process
from processes.running import Running, kill_group
from processes.talking import Talking

IMPORT_SECONDS = 120.0
"""What :meth:`ForkServer.fork` waits for the server's imports."""
_FORK_SECONDS = 10.0
_ENDED_SECONDS = 10.0
_MESSAGE = 4096


class CannotFork(RuntimeError):
    """The server cannot fork a process, and whoever asked has to start it by exec."""


class Forked(Running):
    """A running program that a server forked; ``channel``: what the server tells of it."""

    def __init__(self, pid: int, log: Path, channel: socket.socket) -> None:
        super().__init__(pid, log)
        self._channel = channel
        self._channel.settimeout(0)

    def ended(self) -> bool:
        """Return whether it has ended. One whose server is gone is killed: nobody would learn of its end."""
        if self.exit_code is None:
            try:
                message = self._channel.recv(_MESSAGE)
            except BlockingIOError:
                return False
            except ConnectionError:
                message = b""
            if not message:
                kill_group(self.pid)
            self.exit_code = json.loads(message)["status"] if message else -signal.SIGKILL
            self._channel.close()
        return True

    def _reap(self) -> int:
        self.exit_code = self.wait(_ENDED_SECONDS)
        return -signal.SIGKILL if self.exit_code is None else self.exit_code


class ForkServer:
    """The server of one ``module``, started by :meth:`start` or when it is first asked; one that ends is started anew.
    ``log``: what it writes; ``environment``: beside ours while it imports; processes have ours alone. On other systems
    than Linux it refuses. It dies with us, also while it imports: so whichever thread starts it must outlive it."""

    def __init__(self, module: str, log: Path, environment: dict[str, str] | None = None) -> None:
        self.module, self.log, self.environment = module, log, environment or {}
        self._lock = threading.Lock()
        self._server: Process | None = None
        self._control: socket.socket | None = None
        self._imported = False
        self._refused: str | None = None if sys.platform == "linux" else f"this system is {sys.platform}"

    def start(self) -> None:
        """Have it import, without waiting. Raises OSError where it cannot be started."""
        with self._lock:
            self._started()

    def ready(self, timeout: float) -> bool:
        """Return whether :meth:`fork` would answer at once, after at most ``timeout`` seconds of waiting for that."""
        with self._lock:
            return self._is_ready(timeout)

    def fork(self, name: str, arguments: Sequence[str], log: Path) -> Talking:
        """Have a process run ``main(*arguments)`` of the module, with our environment as it is now, called ``name``;
        its errors go to ``log``. Waits for the server's imports.

        Raises:
            CannotFork: and why.
        """
        with self._lock:
            if not self._is_ready(IMPORT_SECONDS):
                raise CannotFork(f"its server has not imported what it needs after {IMPORT_SECONDS:g} s")
            if self._refused is not None:
                raise CannotFork(self._refused)
            assert self._control is not None
            request = Request(name=name, arguments=list(arguments), environment=dict(os.environ))
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            (input_, lifeline), (events, output) = os.pipe(), os.pipe()
            errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            passed = [input_, output, errors, theirs.detach()]
            try:
                socket.send_fds(self._control, [json.dumps(request).encode()], passed)
            except OSError as error:
                answer = {"refused": str(error)}
            else:
                answer = {}
            finally:  # before we wait: an end of which we keep a copy is no end
                for descriptor in passed:
                    os.close(descriptor)
            if "pid" not in (answer := answer or _answer(ours)):
                for descriptor in (lifeline, events):
                    os.close(descriptor)
                ours.close()
                self._stop()
                raise CannotFork(answer.get("refused", "its server has ended"))
        process = Forked(int(answer["pid"]), log, ours)
        return Talking(process, os.fdopen(lifeline, "wb"), os.fdopen(events, "rb"))

    def close(self) -> None:
        """End the server, once nobody needs what it forked: a process of which it cannot tell any more is killed."""
        with self._lock:
            self._stop()

    def _is_ready(self, timeout: float) -> bool:
        if self._refused is not None:
            return True
        try:
            control = self._started()
            if self._imported or not select.select([control], [], [], timeout)[0]:
                return self._imported
            said = json.loads(control.recv(_MESSAGE) or '{"refused": "its server ended as it imported"}')
        except OSError as error:
            said = {"refused": str(error)}
        self._imported, self._refused = True, said.get("refused")
        if self._refused is not None:
            self._stop()
        return True

    def _started(self) -> socket.socket:
        if self._server is not None and self._imported and self._server.ended():
            self._stop()
        if self._control is None:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.log.parent.mkdir(parents=True, exist_ok=True)
            command = [sys.executable, "-P", "-m", "processes.fork_server", str(theirs.fileno()), self.module]
            with theirs:
                self._server = Process(
                    command,
                    self.log,
                    environment=self.environment,
                    descriptors=[theirs.fileno()],
                    tied=True,
                    whole=False,
                )
            self._control = ours
        return self._control

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._server is not None:
            self._server.kill()
            self._server = None
        self._imported = False


def _answer(channel: socket.socket) -> dict[str, str]:
    """What the server says to a request; empty where it has ended."""
    channel.settimeout(_FORK_SECONDS)
    with suppress(OSError):
        if message := channel.recv(_MESSAGE):
            said: dict[str, str] = json.loads(message)
            return said
    return {}
