"""What nobody needs any more: files of attempts that ended without publishing, and rows that are old. A reaper collects
it every few minutes; whatever something still refers to stays."""

from __future__ import annotations

import logging
from collections.abc import Callable

from jobs.artifacts import ArtifactStore
from jobs.ids import is_id
from jobs.job import ATTEMPTS, attempt_prefix
from jobs.retention import DAY
from jobs.settings import Settings
from jobs.store import JobStore

logger = logging.getLogger("lethe.collection")

_JOBS_AT_ONCE = 500
_ROWS_AT_ONCE = 10_000


def collect(store: JobStore, artifacts: ArtifactStore, settings: Settings) -> None:
    """Remove all of it. Any number of processes may do so at once."""
    removed = remove_unpublished(store, artifacts)
    keys = _all(lambda: store.forget_idempotency_keys(settings.keep_idempotency_keys_days * DAY, _ROWS_AT_ONCE))
    progress = _all(lambda: store.forget_progress(settings.keep_progress_days * DAY, _ROWS_AT_ONCE))
    told = _all(lambda: store.forget_deliveries(settings.webhook_log_days * DAY, _ROWS_AT_ONCE))
    store.forget_samples(DAY)
    if removed or keys or progress or told:
        said = "collected the files of %d attempts, %d idempotency keys, %d events, %d deliveries"
        logger.info(said, len(removed), keys, progress, told)


def remove_unpublished(store: JobStore, artifacts: ArtifactStore) -> list[str]:
    """Remove the files of attempts that are over and were not published, half-written ones too. Returns their prefixes.

    Of a job that was deleted all goes: an attempt that was fenced off may have written after its files were removed. A
    job that the store does not know belongs to another service and is left alone, as is whatever is not named after an
    attempt. An attempt that began since the store was asked is none of those that are over by its answer.
    """
    removed = []
    names = [name for name in artifacts.jobs() if is_id("job", name)]
    for start in range(0, len(names), _JOBS_AT_ONCE):
        some = names[start : start + _JOBS_AT_ONCE]
        for job_id in sorted(store.deleted(some)):
            prefix = f"{ATTEMPTS}/{job_id}"
            artifacts.remove(prefix)
            removed.append(prefix)
        for job_id, over in store.attempts_over(some).items():
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
