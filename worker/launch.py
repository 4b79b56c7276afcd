"""Several processes for one attempt, on one machine: started by torch's elastic launcher (what ``torchrun`` is made
of), ended together, none left over.

Nothing of them can be reached from another machine: they meet by a file, and talk over the loopback device.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from processes.memory_kills import MemoryKills
from worker.causes import Cause, how
from worker.task import EXIT_STOPPED, Task, emit

MEETING = "meeting"
"""The file in an attempt's folder by which its processes find each other."""
STOP = signal.SIGUSR1
"""Asks the first process for a checkpoint and the end. SIGTERM is what the launcher ends the others with when one has
ended: it must not be waited for."""
POLL_SECONDS = 0.1


def launch(task: Task, folder: Path, stop: threading.Event) -> int:
    """Start the processes of ``task`` and follow them to their end. Returns the exit status of the attempt.

    When one of them fails the others are ended, and the attempt has failed; what it was is told as an event.
    """
    import torch
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, start_processes

    from sfd_core.families.device import pick_device

    if pick_device(task.device).type == "cuda" and (there := torch.cuda.device_count()) < task.gpus:
        emit("error", code="internal", message=f"LETHE_GPUS is {task.gpus}, and this worker's machine has {there} GPUs")
        return 1
    (folder / MEETING).unlink(missing_ok=True)
    kills = MemoryKills()
    # Each is tied to this process: if it is killed, nobody else would end them.
    tie = ("-P", "-m", "processes.tied", str(os.getpid()))
    command = (*tie, sys.executable, "-P", "-m", "worker.rank_process", str(folder))
    ranks = range(task.gpus)
    context = start_processes(
        "lethe",
        sys.executable,
        dict.fromkeys(ranks, command),
        {rank: _environment(rank, task.gpus) for rank in ranks},
        DefaultLogsSpecs(str(folder / "ranks")),
    )
    # Starting them has taken SIGTERM, to end all of them at once.
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    asked = False
    while (result := context.wait(0)) is None:
        if stop.is_set() and not asked:
            os.kill(context.pids()[0], STOP)
            asked = True
        time.sleep(POLL_SECONDS)
    if not result.is_failed():
        return 0
    if stop.is_set():
        return EXIT_STOPPED
    ended = {rank: failure.exitcode for rank, failure in result.failures.items()}
    emit("error", **dataclasses.asdict(cause_of_ends(ended, task.gpus, kills.any_more())))
    return 1


def _environment(rank: int, count: int) -> dict[str, str]:
    """What a process is told beside what all of this one's know: the names are torch's own."""
    interfaces = [name for _, name in socket.if_nameindex() if name in ("lo", "lo0")]
    own = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count)}
    return own | {name: interfaces[0] for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME") if interfaces}


def cause_of_ends(ended: Mapping[int, int], count: int, killed_for_memory: bool) -> Cause:
    """Return what it means that these processes ``ended``, by their number: with an exit status, or the negative number
    of a signal."""
    own = {rank: status for rank, status in sorted(ended.items()) if status != -signal.SIGTERM} or ended
    said = f"of {count} training processes ended number " + ", number ".join(
        f"{rank + 1} with {how(status)}" for rank, status in own.items()
    )
    if killed_for_memory and -signal.SIGKILL in own.values():
        return Cause("out_of_memory", f"{said}; the kernel killed a process for want of memory")
    return Cause("training_crashed", said)
