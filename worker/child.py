"""The training process as its runner sees it: gone at the end, whatever happened."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processes.talking import TalkingProcess


@contextmanager
def training_process(folder: Path) -> Iterator[TalkingProcess]:
    """Start the attempt whose task lies in ``folder``. It has a session of its own: a signal to our group reaches the
    runner, which decides."""
    command = [sys.executable, "-P", "-m", "worker.training_process", str(folder)]
    child = TalkingProcess(command, folder / "stderr.log")
    try:
        yield child
    finally:
        child.close()
