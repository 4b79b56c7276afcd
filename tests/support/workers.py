"""Celery workers as they are run in production: processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from tests.support.waiting import wait_for


@contextmanager
def working(kind: Literal["train", "sample"], settings: Mapping[str, str], folder: Path) -> Iterator[None]:
    """A worker that is ready for work when the context begins, and has ended when it ends.

    ``settings``: its ``LETHE_*`` variables and any others; ``folder``: where it leaves its log.
    """
    alive, log = folder / f"{kind}.alive", folder / f"{kind}.log"
    quiet = {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0", "LETHE_ALIVE_FILE": str(alive)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker.main", kind],
            env={**os.environ, **settings, **quiet},
            stdout=output,
            stderr=output,
        )
    try:
        # A sampler imports torch first.
        wait_for(lambda: alive.exists() or process.poll() is not None, 120)
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(60)
