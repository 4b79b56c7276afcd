"""What the runner starts with exec: one attempt of one job, in a process of its own, so that its crash, its memory and
its GPU die with it.

    python -m worker.training_process FOLDER

It makes the attempt (``worker.attempt``), or starts the processes that make it together. SIGTERM asks for a checkpoint
and the end.
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from worker.attempt import Task, emit, end_with_the_runner, run
from worker.launch import launch


def main(folder: Path) -> int:
    """Run the attempt in ``folder``. Returns the exit status; every foreseen error is told as an event first."""
    end_with_the_runner()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the runner's: it asks by SIGTERM
    emit("phase", phase="preparing")
    task = Task.read(folder)
    return run(task, folder, stop) if task.gpus == 1 else launch(task, folder, stop)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
