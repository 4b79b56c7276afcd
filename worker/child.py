"""The training process as its runner sees it: gone at the end, whatever happened."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processes.forking import CannotFork, ForkServer
from processes.talking import Talking, start_talking

logger = logging.getLogger("lethe.worker")

MODULE = "worker.training_process"
NAME = "lethe-attempt"
"""What a training process is called in ``ps``."""
_IMPORTING = {"PYTORCH_NVML_BASED_CUDA_CHECK": "1"}
"""Libraries ask whether there is a GPU as they are imported: so torch asks without its driver (docs/adr/0002)."""


def fork_server(folder: Path) -> ForkServer:
    """Make the server that forks training processes, not started; its log is kept in ``folder``."""
    return ForkServer(MODULE, folder / "fork-server.log", _IMPORTING)


@contextmanager
def training_process(folder: Path, server: ForkServer | None = None) -> Iterator[Talking]:
    """Start the attempt whose task lies in ``folder``: by ``server``, whose imports are done, or where it cannot, by
    exec. It has a session of its own: a signal to our group reaches the runner, which decides."""
    child = _start(folder, server)
    try:
        yield child
    finally:
        child.close()


def _start(folder: Path, server: ForkServer | None) -> Talking:
    log = folder / "stderr.log"
    if server is not None:
        try:
            return server.fork(NAME, [str(folder)], log)
        except CannotFork as why:
            logger.warning("the training process is started by exec: %s", why)
    return start_talking([sys.executable, "-P", "-m", MODULE, str(folder)], log)
