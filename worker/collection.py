"""What nobody needs any more: files of attempts that ended without publishing, and rows that are old. A reaper collects
it every few minutes; whatever something still refers to stays."""

from __future__ import annotations

import logging
from collections.abc import Callable

from jobs.artifacts import ArtifactStore
from jobs.ids import is_id
from jobs.job import attempt_prefix
from jobs.store import JobStore

logger = logging.getLogger("lethe.collection")

DAY = 24 * 3600.0
KEEP_KEYS_SECONDS = 7 * DAY
"""How long an Idempotency-Key is known: nobody sends a request again after a week."""
KEEP_PROGRESS_SECONDS = 30 * DAY
"""How long the progress of a job that is over can be read."""
_JOBS_AT_ONCE = 500
_ROWS_AT_ONCE = 10_000


def collect(store: JobStore, artifacts: ArtifactStore, keep_deliveries_seconds: float = 30 * DAY) -> None:
    """Remove all of it. Any number of processes may do so at once."""
    removed = remove_unpublished(store, artifacts)
    keys = _all(lambda: store.forget_idempotency_keys(KEEP_KEYS_SECONDS, _ROWS_AT_ONCE))
    progress = _all(lambda: store.forget_progress(KEEP_PROGRESS_SECONDS, _ROWS_AT_ONCE))
    told = _all(lambda: store.forget_deliveries(keep_deliveries_seconds, _ROWS_AT_ONCE))
    store.forget_samples(DAY)
    if removed or keys or progress or told:
        said = "collected the files of %d attempts, %d idempotency keys, %d events, %d deliveries"
        logger.info(said, len(removed), keys, progress, told)


def remove_unpublished(store: JobStore, artifacts: ArtifactStore) -> list[str]:
    """Remove the files of attempts that are over and were not published, half-written ones too. Returns their prefixes.

    A job that the store does not know belongs to another service and is left alone, as is whatever is not named after
    an attempt. An attempt that began since the store was asked is none of those that are over by its answer.
    """
    removed = []
    names = [name for name in artifacts.jobs() if is_id("job", name)]
    for start in range(0, len(names), _JOBS_AT_ONCE):
        for job_id, over in store.attempts_over(names[start : start + _JOBS_AT_ONCE]).items():
            for attempt in artifacts.attempts(job_id):
                if over.is_waste(attempt):
                    prefix = attempt_prefix(job_id, attempt)
                    artifacts.remove(prefix)
                    removed.append(prefix)
    return removed


def _all(forget: Callable[[], int]) -> int:
    """Forget batch after batch, each a transaction of its own, until there is less than one left."""
    total = 0
    while (some := forget()) == _ROWS_AT_ONCE:
        total += some
    return total + some
