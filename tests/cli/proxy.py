"""A TCP proxy between a client and a service, which loses connections as networks do."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.support.waiting import wait_for


@dataclass(frozen=True)
class Line:
    """What becomes of one connection. ``cut_after``: bytes of the answer that pass before both ends are closed, 0:
    the service has answered and the client hears nothing of it. ``says``: sent in place of the service's answer."""

    cut_after: int | None = None
    says: bytes | None = None


GOOD = Line()


class Proxy:
    """Listens on a free port. The first connections follow ``lines``, one each; all others pass."""

    def __init__(self, upstream: str, lines: Iterable[Line]) -> None:
        host, port = upstream.removeprefix("http://").split(":")
        self._upstream = (host, int(port))
        self._lines = iter(lines)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        """Close the port and every connection."""
        self._close(self._listener)
        with self._lock:
            left = list(self._open)
        for each in left:
            self._close(each)

    def wait_for_connections(self, n: int) -> None:
        """Wait until there have been ``n``."""
        wait_for(lambda: self.connections >= n)

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                line = next(self._lines, GOOD)
                self.connections += 1
                threading.Thread(target=self._serve, args=(client, line), daemon=True).start()

    def _serve(self, client: socket.socket, line: Line) -> None:
        try:
            service = socket.create_connection(self._upstream) if line.says is None else None
        except OSError:
            client.close()
            return
        with self._lock:
            self._open |= {client} if service is None else {client, service}
        if service is None:
            with contextlib.suppress(OSError):
                client.recv(65536)
                client.sendall(line.says or b"")
            self._close(client)
            return
        threading.Thread(target=self._pass_on, args=(client, service), daemon=True).start()
        self._answer(service, client, line)
        self._close(client)
        self._close(service)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def _answer(self, service: socket.socket, client: socket.socket, line: Line) -> None:
        left = line.cut_after
        with contextlib.suppress(OSError):
            while data := service.recv(65536):
                if left is not None:
                    data = data[:left]
                    left -= len(data)
                client.sendall(data)
                if left == 0:
                    return

    def _close(self, end: socket.socket) -> None:
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
        with self._lock:
            self._open.discard(end)


@contextlib.contextmanager
def proxy(upstream: str, lines: Iterable[Line] = ()) -> Iterator[Proxy]:
    """A proxy for as long as the context lasts."""
    made = Proxy(upstream, lines)
    try:
        yield made
    finally:
        made.close()
