"""One program that a supervisor keeps running."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from processes.process import Process

_LARGE_LOG = 10 * 1024 * 1024  # bytes; larger at a start, it is put aside and the one before that is gone


@dataclass(frozen=True)
class Program:
    """A program to run. ``grace``: seconds between SIGTERM and SIGKILL when it is to stop."""

    name: str
    command: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """Beside ours, and above it."""
    grace: float = 10.0

    def start(self) -> Process:
        """Start it, tied to the thread that starts it. Raises OSError where it cannot be started."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        _put_aside(self.log)
        return Process(self.command, self.log, environment=self.environment, tied=True)


def _put_aside(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LARGE_LOG:
        log.replace(log.with_suffix(".log.1"))
