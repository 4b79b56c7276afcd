"""A program that tells what happens in it, a JSON document a line on its standard output."""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from processes.process import Process

logger = logging.getLogger("lethe.processes")


class TalkingProcess(Process):
    """A running program whose events are read as they come; its standard input stays open until :meth:`close`."""

    def __init__(self, command: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(command, log, environment={"PYTHONUNBUFFERED": "1", **(environment or {})}, pipes=True)
        self._events: queue.Queue[dict[str, Any] | None] = queue.Queue()  # None: the output has ended
        threading.Thread(target=self._read, name=f"events-of-{self.pid}", daemon=True).start()

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
        """Kill it, if it still runs, and close both pipes."""
        self.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                logger.warning("process %d wrote a line that is not an event: %r", self.pid, line[:200])
                continue
            self._events.put(event)
        self._events.put(None)
