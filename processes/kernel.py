"""What is asked of Linux for this process, of which Python has nothing."""

from __future__ import annotations

import ctypes
import os

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_NAME_BYTES = 15


def die_with_parent(number: int) -> None:
    """Have the kernel send this process the signal ``number`` when its parent ends. Raises OSError."""
    _prctl(_PR_SET_PDEATHSIG, number)


def be_called(name: str) -> None:
    """Give this process a name for ``ps`` and ``top``, of at most 15 bytes. Raises OSError."""
    _prctl(_PR_SET_NAME, ctypes.create_string_buffer(name.encode()[:_NAME_BYTES]))


def _prctl(option: int, argument: int | ctypes.Array[ctypes.c_char]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, argument, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
