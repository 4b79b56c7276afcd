"""Work folders that outlived their job: a worker that was killed between publication and cleaning up leaves
checkpoints behind, and with them the raw weights, the fake score and the optimiser of a run that is over."""

from __future__ import annotations

import logging
import os
import shutil
from pathlib import Path

from jobs.errors import Deleted, JobNotFound
from jobs.ids import is_id
from jobs.store import JobStore

logger = logging.getLogger("lethe.leftovers")


def remove_leftovers(work_dir: Path, store: JobStore) -> list[str]:
    """Remove the work folders of jobs that are over, or were deleted. Returns their ids.

    A folder of a job that the store does not know belongs to another service and is left alone, as is everything that
    is not named after a job.
    """
    removed = []
    for folder in sorted(work_dir.iterdir()) if work_dir.is_dir() else ():
        if not is_id("job", folder.name):
            continue
        try:
            over = store.get(folder.name).terminal
        except JobNotFound:
            continue
        except Deleted:
            over = True
        if over:
            shutil.rmtree(folder, ignore_errors=True)
            removed.append(folder.name)
            logger.warning("removed what a job that is over left behind", extra={"job": folder.name})
    return removed


def sizes(work_dir: Path) -> dict[str, int]:
    """Measure the work folders: bytes by job. What goes meanwhile counts for nothing."""
    found = {}
    for folder in work_dir.iterdir() if work_dir.is_dir() else ():
        if is_id("job", folder.name):
            found[folder.name] = sum(_size(Path(root, name)) for root, _, names in os.walk(folder) for name in names)
    return found


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0
