"""The training process as its runner sees it: started by exec, its lines as they come, ended for certain."""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

logger = logging.getLogger("lethe.worker")

STDERR_TAIL = 2000


class Child:
    """A running training process. ``lines`` yields its events; ``None`` in the queue says that its output ended."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._lines: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, name="lethe-training-output", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def next_event(self, timeout: float) -> dict[str, Any] | None:
        """The next event, or None when there was none within ``timeout`` seconds.

        Raises:
            EOFError: the output has ended.
        """
        try:
            event = self._lines.get(timeout=timeout)
        except queue.Empty:
            return None
        if event is None:
            self._lines.put(None)
            raise EOFError
        return event

    def ask_to_stop(self) -> None:
        """Ask for a checkpoint and the end."""
        self._process.send_signal(signal.SIGTERM)

    def wait(self, timeout: float) -> int | None:
        """The exit status, or None if the process still runs after ``timeout`` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End the process and whatever it started, at once."""
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def last_words(self) -> str:
        """The end of what it wrote on standard error."""
        return (self._folder / "stderr.log").read_text(errors="replace")[-STDERR_TAIL:]

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                logger.warning("training process wrote a line that is not an event: %r", line[:200])
                continue
            self._lines.put(event)
        self._lines.put(None)


@contextmanager
def training_process(folder: Path) -> Iterator[Child]:
    """Start the attempt whose task lies in ``folder``; at the end it is gone, whatever happened."""
    with (folder / "stderr.log").open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "worker.training_process", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # Ctrl-C and a group's SIGTERM reach the runner, which decides
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    child = Child(process, folder)
    try:
        yield child
    finally:
        child.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
