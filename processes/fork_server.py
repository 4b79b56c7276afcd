"""Imports a module once and then forks, each time it is asked, a process that runs it: its imports take no time there.

    python -m processes.fork_server DESCRIPTOR MODULE

``processes.forking`` starts it, with a socket as ``DESCRIPTOR``, and speaks with it. ``MODULE`` has two functions:
``preload()``, which imports what it will need and returns why a process may not be forked after that, if it may not;
and ``main(*arguments)``, which returns the exit status. The server says on the socket when it has imported, or that
it refuses; then it is asked for processes.

A fork copies memory, not threads and not what a device's driver holds; a lock that another thread held would stay
locked for ever. So nothing is forked once a thread or a driver was started.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypedDict

from processes.kernel import be_called
from processes.running import kill_group

MAX_MESSAGE = 1 << 20
"""Bytes of a :class:`Request`."""
REQUEST_DESCRIPTORS = 4
"""What comes with a request: standard input, output and errors of the new process, and the socket on which its id is
told, and in the end its exit status."""


class Request(TypedDict):
    """A process that is asked for: ``arguments`` of the module's ``main``, all of its ``environment``, and the ``name``
    by which it is seen."""

    name: str
    arguments: list[str]
    environment: dict[str, str]


class Server:
    """The server: ``forked`` has the socket of each process that runs, by its id."""

    def __init__(self, control: socket.socket, module: str) -> None:
        self.control = control
        # What imports make stays: looking through all of it for what goes takes a fifth of their time.
        gc.disable()
        self.program = importlib.import_module(module)
        refusal: str | None = self.program.preload() or _threads()
        self.forked: dict[int, socket.socket] = {}
        self.woken, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        gc.collect()
        gc.freeze()  # a collection in a process need not walk through, and so copy, what all of them share
        gc.enable()
        _tell(control, {"ready": True} if refusal is None else {"refused": refusal})

    def serve(self) -> Callable[[], int] | None:
        """Serve until whoever asks is gone, and return None. In a process that was forked: return what it has to do,
        so that it ends as any program does."""
        while True:
            ready, _, _ = select.select([self.control.fileno(), self.woken], [], [])
            if self.woken in ready:
                with suppress(BlockingIOError):
                    os.read(self.woken, 4096)
                self._reap()
            if self.control.fileno() in ready:
                message, descriptors, _, _ = socket.recv_fds(self.control, MAX_MESSAGE, REQUEST_DESCRIPTORS)
                if not message:
                    return None
                if (work := self._fork(json.loads(message), descriptors)) is not None:
                    return work

    def _fork(self, request: Request, descriptors: list[int]) -> Callable[[], int] | None:
        *streams, told = descriptors
        answer = socket.socket(fileno=told)
        sys.stdout.flush()  # what is still to be written would be written by both
        sys.stderr.flush()
        if (pid := os.fork()) == 0:
            answer.close()
            return self._become(request, streams)
        self.forked[pid] = answer
        _tell(answer, {"pid": pid})
        for stream in streams:
            os.close(stream)
        return None

    def _become(self, request: Request, streams: list[int]) -> Callable[[], int]:
        """Be a process of one's own, with nothing of the server's."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.control.close()
        for other in self.forked.values():
            other.close()
        for descriptor in (self.woken, self._wake):
            os.close(descriptor)
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        os.environ.clear()
        os.environ.update(request["environment"])
        be_called(request["name"])
        return lambda: self.program.main(*request["arguments"])

    def _reap(self) -> None:
        """See every process that has ended gone, with what it left of its group, and tell its exit status."""
        while (found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)) is not None:
            kill_group(found.si_pid)
            _, status = os.waitpid(found.si_pid, 0)
            if (answer := self.forked.pop(found.si_pid, None)) is not None:
                _tell(answer, {"status": os.waitstatus_to_exitcode(status)})
                answer.close()
            if not self.forked:
                return


def _threads() -> str | None:
    others = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
    return f"a thread was started by what was imported: {', '.join(others)}" if others else None


def _tell(whom: socket.socket, message: dict[str, object]) -> None:
    with suppress(OSError):  # whoever asked is gone
        whom.send(json.dumps(message).encode())


def main(descriptor: int, module: str) -> int:
    """Serve until whoever started us is gone. Returns the exit status; of a process that was forked, its own."""
    work = Server(socket.socket(fileno=descriptor), module).serve()
    return 0 if work is None else work()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2]))
