"""The bytes of a pickle, read one after the other: of every length and number is held that it can be before anything is
allocated for it."""

from __future__ import annotations

import struct
from typing import Any

from sfd_core.errors import ModelRefused

MAX_TEXT = 16 << 20
MAX_NAME = 1000


class Reader:
    """Bytes of ``data`` from ``position`` on. ``at``: how messages name the file. Each method raises ``ModelRefused``
    for what is not there, or is longer than what is read."""

    def __init__(self, data: memoryview, position: int, at: str) -> None:
        self.data, self.position, self.at = data, position, at

    def refused(self, why: str) -> ModelRefused:
        """Return the refusal to raise, which says ``why`` and where."""
        return ModelRefused(f"{self.at}: not a readable pickle: {why} (at byte {self.position})")

    def take(self, n: int) -> memoryview:
        """Take the next ``n`` bytes."""
        if n < 0 or n > len(self.data) - self.position:
            raise self.refused(f"it ends early or says that {n} bytes follow where they do not")
        piece = self.data[self.position : self.position + n]
        self.position += n
        return piece

    def byte(self) -> int:
        """Take one byte."""
        return self.take(1)[0]

    def number(self, form: str) -> Any:
        """Take one number in a ``form`` of ``struct``."""
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def sized(self, form: str, most: int | None = None) -> memoryview:
        """Take as many bytes as a number in ``form`` before them says, ``most`` at most."""
        n = self.number(form)
        if most is not None and n > most:
            raise self.refused(f"{n} bytes of text or of one number, {most} are read")
        return self.take(n)

    def text(self, form: str) -> str:
        """Take text whose bytes a number in ``form`` counts."""
        return self._decoded(self.sized(form, MAX_TEXT))

    def line(self) -> str:
        """Take text up to a line's end."""
        near = bytes(self.data[self.position : self.position + MAX_NAME + 1])
        end = near.find(b"\n")
        if end < 0:
            raise self.refused(f"a name has no end within {MAX_NAME} bytes")
        return self._decoded(self.take(end + 1)[:end])

    def _decoded(self, piece: memoryview) -> str:
        try:
            return bytes(piece).decode()
        except UnicodeDecodeError:
            raise self.refused("it holds text that is not UTF-8") from None
