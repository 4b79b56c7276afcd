"""Server-sent events (WHATWG HTML, 9.2.6) out of bytes as they arrive, cut anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# A carriage return at the very end may be the first half of CRLF: it waits for what follows.
_LINE_END = re.compile(rb"\r\n|\n|\r(?=[^\n])")


@dataclass(frozen=True)
class Message:
    """One message: ``id`` as the stream last gave it, ``event`` its type, ``data`` its lines joined."""

    id: str
    event: str
    data: str


class Decoder:
    """A decoder of the stream: fed with what the connection gives, it yields each message once its empty line is there.
    What was not finished when a connection broke is dropped, as the standard says: use a new decoder for a new
    connection.

    Lines are split by hand because ``str.splitlines`` also splits at characters that JSON may hold, such as U+2028.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._id = ""
        self._event = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """Yield the messages that ``chunk`` completes."""
        *lines, self._rest = _LINE_END.split(self._rest + chunk)
        for line in lines:
            if line:
                self._field(line.decode("utf-8", "replace"))
                continue
            if self._data:
                yield Message(self._id, self._event or "message", "\n".join(self._data))
            self._event, self._data = "", []

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self._id = value
        # Comments (an empty name) are pings; `retry` is not heeded: the client's own pauses are shorter and grow.
