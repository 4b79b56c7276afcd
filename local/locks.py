"""Advisory file locks (flock), the one thing the bookkeeping of servers is built on.

A pid file outlives its process and may name a zombie or a stranger. A flock is dropped by the kernel with the last
process that holds it, also on kill -9, and passes to children over fork and exec: it cannot lie.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def _take(path: Path, how: int) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def share(path: Path) -> int:
    """Hold ``path`` together with others; waits while somebody has it alone. Close the result to let go."""
    descriptor = _take(path, fcntl.LOCK_SH)
    assert descriptor is not None, "a lock that may wait is always taken"
    return descriptor


def try_alone(path: Path) -> int | None:
    """Hold ``path`` alone, or None at once where anybody else has it. Close the result to let go."""
    return _take(path, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_held(path: Path) -> bool:
    """Return whether any process has ``path``, alone or shared."""
    descriptor = try_alone(path)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False
