"""A receiver of webhooks on loopback: it keeps what it is sent, and answers as a test wants. And one that only counts
who connects."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Received:
    """One request, header fields in small letters."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Sink:
    """A receiver at ``url``. ``status`` and ``fields``: of its next answers, which wait while ``go`` is not set."""

    url: str = ""
    status: int = 204
    fields: Mapping[str, str] = field(default_factory=dict)
    go: threading.Event = field(default_factory=threading.Event)
    received: list[Received] = field(default_factory=list)


@contextlib.contextmanager
def sink(host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Sink]:
    """Receive at a free port until the context ends."""
    made = Sink()
    made.go.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.received.append(Received(self.path, headers, body))
            made.go.wait(120)
            with contextlib.suppress(OSError):
                self.send_response(made.status)
                for name, value in made.fields.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    made.url = f"{'https' if tls else 'http'}://{host}:{server.server_port}/hook"
    threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    try:
        yield made
    finally:
        made.go.set()
        server.shutdown()
        server.server_close()


@dataclass
class Counter:
    """A port on which connections are counted, on every address of this machine."""

    port: int
    connections: int = 0


@contextlib.contextmanager
def counting() -> Iterator[Counter]:
    """Count who connects to a free port, by IPv4 or IPv6; nobody is answered."""
    listening = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    made = Counter(listening.getsockname()[1])

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listening.accept()
                made.connections += 1
                connection.close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(5)
