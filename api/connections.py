"""Connections that nobody can hold open for nothing: a request must be whole within seconds, an answer must be read,
and of those who send halves the oldest goes first. uvicorn itself waits for as long as a client likes."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 10.0
"""For the head of a request, from the first that is heard of it."""
BODY_SECONDS = 20.0
"""For its body, of a mebibyte at most."""
READ_SECONDS = 15.0
"""For a client that does not read what it asked for."""
LINGER_SECONDS = 2.0
"""For what a client still sends whose request was refused before it was read."""
HALVES_OF_ONE, HALVES = 128, 512
"""Connections that may wait for the rest of a request at once, of one address and in all."""


@dataclass(frozen=True)
class Patience:
    """The seconds that a server waits for a client, and for how many at once."""

    head: float = HEAD_SECONDS
    body: float = BODY_SECONDS
    read: float = READ_SECONDS
    of_one: int = HALVES_OF_ONE
    in_all: int = HALVES


PATIENCE = Patience()
_LATE = h11.Response(status_code=408, headers=[("Connection", "close"), ("Content-Length", "0")])


@dataclass
class Halves:
    """The connections of a server that wait for the rest of a request, the oldest first."""

    patience: Patience
    _waiting: dict[Connection, str] = field(default_factory=dict)
    _by_address: Counter[str] = field(default_factory=Counter)

    def add(self, connection: Connection) -> None:
        """Note that ``connection`` waits; one that has waited for longest is given up where there are too many."""
        address = connection.address
        if self._by_address[address] >= self.patience.of_one:
            next(other for other, of in self._waiting.items() if of == address).give_up()
        elif len(self._waiting) >= self.patience.in_all:
            next(iter(self._waiting)).give_up()
        self._waiting[connection] = address
        self._by_address[address] += 1

    def remove(self, connection: Connection) -> None:
        """Note that ``connection`` waits no more."""
        address = self._waiting.pop(connection, None)
        if address is not None:
            self._by_address[address] -= 1
            self._by_address += Counter()  # forgets those of nobody


class Connection(H11Protocol):
    """One connection of a client. ``halves``: those of its server."""

    halves: Halves

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the head of a request."""
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self._waits: object = None
        self._request_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None
        self._refused = False
        self._await(h11.IDLE)

    def data_received(self, data: bytes) -> None:
        """Read on, and wait for what is left of the request, if it has come in part."""
        if self._refused:
            return
        super().data_received(data)
        state = self.conn.their_state
        self._await(state if state in (h11.IDLE, h11.SEND_BODY) else None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._await(None)
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Give the client some time to read."""
        super().pause_writing()
        if self._read_timer is None:
            self._read_timer = self.loop.call_later(self.halves.patience.read, self.transport.abort)

    def resume_writing(self) -> None:
        """Write on."""
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request, and leave out what still comes of it for a while. A socket that is closed before
        all is read answers the rest with a reset, which may reach the client before the refusal."""
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("Connection", "close")]
        for event in (h11.Response(status_code=400, headers=headers), h11.Data(data=msg.encode()), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self._refused = True
        self.transport.write_eof()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def give_up(self) -> None:
        """Close the connection; a client that has not finished the head of its request is told why."""
        head = self._waits is h11.IDLE
        self._await(None)
        if head and self.conn.our_state is h11.IDLE:
            self.transport.write(self.conn.send(_LATE) or b"")
            self.transport.close()
        else:
            self.transport.abort()

    def _await(self, what: object) -> None:
        """Wait for ``what`` of a request, a state of the client's: the time runs from when it is first waited for."""
        if what is self._waits:
            return
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None
        if self._waits is not None and what is None:
            self.halves.remove(self)
        patience = self.halves.patience
        if what is not None:
            if self._waits is None:
                self.halves.add(self)
            seconds = patience.head if what is h11.IDLE else patience.body
            self._request_timer = self.loop.call_later(seconds, self.give_up)
        self._waits = what


def connections(patience: Patience) -> type[asyncio.Protocol]:
    """Make the class of one server's connections."""
    made: Any = type("Connection", (Connection,), {"halves": Halves(patience)})
    return made  # type: ignore[no-any-return]
