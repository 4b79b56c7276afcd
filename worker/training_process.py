"""What the runner starts: one attempt of one job, in a process of its own, so that its crash, its memory and its GPU
die with it.

    python -m worker.training_process FOLDER

or by a fork of a process that has imported what it needs (``worker.child``). It makes the attempt
(``worker.attempt``), or starts the processes that make it together. SIGTERM asks for a checkpoint and the end.
"""

from __future__ import annotations

import importlib
import signal
import sys
import threading
from pathlib import Path

from worker.attempt import end_with_the_runner, run
from worker.launch import launch
from worker.task import Task, emit

DRIVER = "libcuda.so"
"""CUDA's driver: a process that was forked after it was loaded cannot use a GPU."""


def preload() -> str | None:
    """Import what attempts need. Returns why no process may be forked after that, if none may."""
    importlib.import_module("worker.making")
    maps = Path("/proc/self/maps").read_text()
    return f"what it imported has loaded {DRIVER}" if DRIVER in maps else None


def main(folder: str) -> int:
    """Run the attempt in ``folder``. Returns the exit status; every foreseen error is told as an event first."""
    end_with_the_runner()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the runner's: it asks by SIGTERM
    emit("phase", phase="preparing")
    path = Path(folder)
    task = Task.read(path)
    return run(task, path, stop) if task.gpus == 1 else launch(task, path, stop)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
