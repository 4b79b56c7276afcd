"""A program that tells what happens in it, a JSON document a line on its standard output."""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from processes.process import Process
from processes.running import Running

logger = logging.getLogger("lethe.processes")


class Talking:
    """A running program whose events are read as they come.

    Args:
        lifeline: its standard input, which stays open until :meth:`close`, or until we end.
        events: its standard output.
    """

    def __init__(self, process: Running, lifeline: IO[bytes], events: IO[bytes]) -> None:
        self.process = process
        self._pipes = (lifeline, events)
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()  # None: the output has ended
        threading.Thread(target=self._read, name=f"events-of-{process.pid}", daemon=True).start()

    def next_event(self, timeout: float) -> dict[str, Any] | None:
        """Return the next event, or None when there was none within ``timeout`` seconds.

        Raises:
            EOFError: the output has ended.
        """
        try:
            event = self._events.get(timeout=timeout)
        except queue.Empty:
            return None
        if event is None:
            self._events.put(None)
            raise EOFError
        return event

    def close(self) -> None:
        """Kill the program, if it still runs, and close both pipes."""
        self.process.kill()
        for stream in self._pipes:
            stream.close()

    def _read(self) -> None:
        for line in self._pipes[1]:
            try:
                event = json.loads(line)
            except ValueError:
                logger.warning("process %d wrote a line that is not an event: %r", self.process.pid, line[:200])
                continue
            self._events.put(event)
        self._events.put(None)


def start_talking(command: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None) -> Talking:
    """Start a talking program by exec; its errors go to ``log``. Raises OSError where it cannot be started."""
    process = Process(command, log, environment={"PYTHONUNBUFFERED": "1", **(environment or {})}, pipes=True)
    return Talking(process, *process.pipes)
