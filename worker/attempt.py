"""One attempt of one job, as the processes that make it do it, and how they end.

``FOLDER/task.json`` says what to do (``worker.task``); the generator, the report and, for the record,
``environment.json`` are written below ``FOLDER``. Standard input is a line to the runner that is never written to: when
it closes, the runner is gone, and so shall these be.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from worker.causes import FORESEEN, cause_of, is_of_another
from worker.task import EXIT_STOPPED, Stopped, Task, emit

if TYPE_CHECKING:
    from sfd_core.training.ranks import Ranks


def run(task: Task, folder: Path, stop: threading.Event, ranks: Ranks | None = None) -> int:
    """Run the attempt, until ``stop`` is set; where there are ``ranks``, lead them. Returns the exit status.

    Torch is imported by what this calls, so that the first line goes out before it.
    """

    def work() -> int:
        from worker.making import make

        return make(task, folder, stop, ranks)

    return told(work)


def take_part(task: Task, ranks: Ranks) -> int:
    """Take the steps of an attempt that another process leads. Returns the exit status."""

    def work() -> int:
        from worker.making import make_with_others

        make_with_others(task, ranks)
        return 0

    return told(work)


def told(work: Callable[[], int]) -> int:
    """Do the ``work`` and return its exit status; whatever ends it is told as an event first, but for the end of
    another process, of which ``worker.launch`` tells."""
    try:
        return work()
    except Stopped:
        return EXIT_STOPPED
    except Exception as error:  # noqa: BLE001 - nothing may end an attempt without a word
        cause = cause_of(error, "run_failed")
        if not isinstance(error, FORESEEN):
            traceback.print_exc()
        if not is_of_another(error):
            emit("error", **dataclasses.asdict(cause))
    return 1


def end_with_the_runner() -> None:
    """Leave at once when the runner is gone, from a thread of its own: another attempt may be under way elsewhere."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        os._exit(EXIT_STOPPED)

    threading.Thread(target=watch, daemon=True).start()
