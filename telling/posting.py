"""One POST to somebody else's server, bounded in everything: whom it reaches, how long it takes, how much is read."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpcore

from jobs.deliveries import Outcome
from telling.addresses import AddressRefused, Guard, Target

SECONDS = 15.0
"""The whole of it, from the name's resolution to the last byte that is read."""
CONNECT_SECONDS = 5.0
MAX_READ = 4096
"""Bytes of an answer's body: it is read so far to be polite, and looked at by nobody."""
GONE = 410
# UnicodeError: of a name that the system's resolver cannot write down.
_FAILURES = (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError, UnicodeError)


@dataclass(frozen=True)
class Posting:
    """The way to other servers. ``tls``: by which authorities their certificates are verified."""

    guard: Guard
    tls: ssl.SSLContext
    seconds: float = SECONDS

    def post(self, target: Target, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Send ``body``. A redirect is an answer like another: it is not followed."""
        with contextlib.closing(_Line(self.guard, self.seconds)) as line:
            try:
                return self._post(line, target, headers, body)
            except AddressRefused as error:
                return Outcome(error=str(error))
            except _FAILURES as error:
                return Outcome(error=line.said_of(error))

    def _post(self, line: _Line, target: Target, headers: Mapping[str, str], body: bytes) -> Outcome:
        url = httpcore.URL(scheme=target.scheme, host=target.host, port=target.port, target=target.path)
        sent = {"Host": target.host_field, "Content-Length": str(len(body)), "Connection": "close", **headers}
        timeout = {"connect": CONNECT_SECONDS, "read": self.seconds, "write": self.seconds, "pool": self.seconds}
        with (
            httpcore.ConnectionPool(ssl_context=self.tls, network_backend=line) as pool,
            pool.stream(
                "POST", url, headers=list(sent.items()), content=body, extensions={"timeout": timeout}
            ) as answer,
        ):
            read = 0
            with contextlib.suppress(httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
                for piece in answer.iter_stream():
                    read += len(piece)
                    if read >= MAX_READ:
                        break
            return _outcome(answer.status, dict(answer.headers))


class _Line(httpcore.NetworkBackend):
    """A connection to an address that the guard has judged, cut at the end of its time: each step has a limit of its
    own, but a server that sends a byte now and then would never meet it."""

    def __init__(self, guard: Guard, seconds: float) -> None:
        self._guard = guard
        self._until = time.monotonic() + seconds
        self._seconds = seconds
        self._connection: socket.socket | None = None
        self._cut: threading.Timer | None = None

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first of the host's addresses that answers."""
        failure: Exception = httpcore.ConnectError("the host has no address")
        for address in self._guard.addresses(host, port):
            left = self._until - time.monotonic()
            if left <= 0:
                raise httpcore.ConnectTimeout
            try:
                stream = httpcore.SyncBackend().connect_tcp(str(address), port, min(left, timeout or left))
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
                continue
            # A second handle of the same connection: TLS takes the first one over.
            self._connection = stream.get_extra_info("socket").dup()
            self._cut = threading.Timer(max(0.0, self._until - time.monotonic()), self._shut, [self._connection])
            self._cut.daemon = True
            self._cut.start()
            return stream
        raise failure

    def said_of(self, error: Exception) -> str:
        """Return what a delivery's log says of a failure, which may be read by whoever chose the address."""
        if time.monotonic() >= self._until or isinstance(error, httpcore.TimeoutException):
            return f"no answer within {self._seconds:g} s" if self._connection else "cannot connect in time"
        for cause in _causes(error):
            match cause:
                case ssl.SSLCertVerificationError():
                    return f"the certificate is not good: {cause.verify_message}"
                case ssl.SSLError():
                    return "no TLS can be agreed upon"
                case socket.gaierror() | UnicodeError():
                    return "the host's name cannot be resolved"
        if isinstance(error, httpcore.ConnectError) or self._connection is None:
            return "cannot connect"
        return "the connection broke off before an answer"

    def close(self) -> None:
        """End the watch."""
        if self._cut is not None:
            self._cut.cancel()
        if self._connection is not None:
            self._connection.close()

    @staticmethod
    def _shut(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _outcome(status: int, headers: Mapping[bytes, bytes]) -> Outcome:
    if 200 <= status < 300:
        return Outcome(status)
    fields = {name.lower(): value.decode("latin-1") for name, value in headers.items()}
    error = f"answered {status}" + (": redirects are not followed" if 300 <= status < 400 else "")
    return Outcome(status, error, retry_after(fields.get(b"retry-after", "")), gone=status == GONE)


def retry_after(value: str) -> float:
    """Read the seconds that ``Retry-After`` asks for, given as a number or as a date; 0 without one."""
    if value.isascii() and value.isdecimal():
        return float(value[:9])
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
