"""What the process that reads somebody else's checkpoint may take of the machine. Plain: does not import torch."""

from __future__ import annotations

import resource
from pathlib import Path

SPARE_BYTES = 3 << 30
TIMES_THE_FILE = 4
"""A file's numbers are in memory once as read, once as checked, once as converted, once as written."""
SECONDS, SECONDS_A_GIB = 600, 300


def bound(length: int) -> None:
    """Take no more memory, time and disk from here on than a file of ``length`` bytes can need, and leave no picture of
    the memory when it ends."""
    held = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    limits = {
        resource.RLIMIT_AS: held + SPARE_BYTES + TIMES_THE_FILE * length,
        resource.RLIMIT_CPU: SECONDS + SECONDS_A_GIB * (length >> 30),
        resource.RLIMIT_FSIZE: 2 * length + SPARE_BYTES,
        resource.RLIMIT_CORE: 0,
    }
    for what, most in limits.items():
        allowed = resource.getrlimit(what)[1]
        low = most if allowed == resource.RLIM_INFINITY else min(most, allowed)
        resource.setrlimit(what, (low, low))
