"""Being asked to stop, noted without interrupting whatever runs."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType


class Asked:
    """The number of times that we were asked to stop. A plain number: a signal handler must not wait for a lock, as an
    Event would."""

    def __init__(self) -> None:
        self.times = 0

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.times += 1


@contextlib.contextmanager
def stop_signals() -> Iterator[Asked]:
    """Note SIGTERM, Ctrl-C and a closed terminal inside. Main thread only; what is ignored (nohup) stays ignored."""
    asked = Asked()
    before = {}
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, asked._handle)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
