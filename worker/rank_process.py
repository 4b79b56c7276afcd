"""One of the processes that make an attempt together: what ``worker.launch`` starts, once for each GPU.

    RANK=1 WORLD_SIZE=2 python -m worker.rank_process FOLDER

The first leads: it looks at the images, saves the checkpoints and tells the runner what happens, as a single process
does; the others only train. ``STOP`` asks the first for a checkpoint and the end.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from worker.attempt import end_with_the_runner, run, take_part
from worker.launch import MEETING, STOP
from worker.task import Task


def main(folder: Path, number: int, count: int) -> int:
    """Make the attempt in ``folder`` as process ``number`` of ``count``. Returns the exit status."""
    end_with_the_runner()
    stop = threading.Event()
    signal.signal(STOP, lambda number, frame: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    task = Task.read(folder)

    import torch

    from sfd_core.families.device import pick_device
    from sfd_core.training.ranks import ProcessGroup
    from sfd_core.training.sharding import ShardedGroup

    device = pick_device(task.device)
    if device.type == "cuda":
        torch.cuda.set_device(number)
    group = ShardedGroup if task.shard else ProcessGroup
    ranks = group(number, count, folder / MEETING, device)
    return run(task, folder, stop, ranks) if number == 0 else take_part(task, ranks)


if __name__ == "__main__":
    status = main(Path(sys.argv[1]), int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
    # At once, and not as the interpreter ends: that destroys the process groups' threads where they are, and one that
    # had not come to its end aborted a process whose work was done (SIGABRT, "terminate called").
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
