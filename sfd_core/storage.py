"""Storage that is full: told from every other failure of a write, and waited for. Plain: does not import torch."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
PAUSE_SECONDS = 5.0
"""Between two tries to write to a storage that is full."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True)
class StorageFull:
    """A write that found the storage full, with the system's ``message``; it is tried again until there is room."""

    message: str


def is_full(error: BaseException) -> bool:
    """Say whether ``error`` is that a disk, or what a user may have of it, is full."""
    if isinstance(error, OSError):
        return error.errno in _FULL
    # safetensors writes by itself, and its error has the system's number in its text alone.
    return type(error).__name__ == "SafetensorError" and any(f"os error {number})" in str(error) for number in _FULL)


def once_there_is_room(
    write: Callable[[], T], stop: threading.Event, pause: float = PAUSE_SECONDS
) -> Generator[StorageFull, None, T | None]:
    """Do ``write``, again and again while the storage is full, with ``pause`` seconds between. Yields after each try
    that found it so, and returns what ``write`` returns; None where ``stop`` was set meanwhile.

    ``write`` leaves nothing half-written when it fails, or begins anew with what it left.
    """
    while True:
        try:
            return write()
        except Exception as error:
            if not is_full(error):
                raise
            yield StorageFull(str(error))
        if stop.wait(pause):
            return None
