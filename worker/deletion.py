"""The files of what was deleted: a reaper removes them after the tombstone is there, and says so in it. Killed in
between, the next round removes what is left."""

from __future__ import annotations

import logging

from sqlalchemy import Engine

from jobs import tombstones
from jobs.artifacts import ArtifactStore
from jobs.job import ATTEMPTS
from jobs.tombstones import Tombstone

logger = logging.getLogger("lethe.deletion")


def remove_deleted(engine: Engine, artifacts: ArtifactStore) -> list[str]:
    """Remove the files of jobs and generators that were deleted since the last round. Returns their ids. Any number of
    processes may do so at once."""
    done: list[str] = []
    for tombstone in tombstones.with_files(engine):
        _remove(engine, artifacts, tombstone)
        tombstones.removed(engine, tombstone)
        done.append(tombstone.deleted)
        logger.info("removed the files of what was deleted", extra={"deleted": tombstone.deleted})
    return done


def _remove(engine: Engine, artifacts: ArtifactStore, tombstone: Tombstone) -> None:
    """All that a job has; of a generator its own files. One that the report of its attempt has too stays: of a digest
    there is one file."""
    if tombstone.prefix is None:
        artifacts.remove(f"{ATTEMPTS}/{tombstone.job_id}")
        return
    still_named = tombstones.still_named(engine, tombstone.job_id)
    for sha256 in sorted(set(tombstone.files.values()) - still_named):
        artifacts.remove_file(tombstone.prefix, sha256)
