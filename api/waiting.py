"""Why jobs wait: what the workers that are there have no memory for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from api.services import Services
from jobs import workers
from jobs.job import Job
from jobs.states import Status


def why_waiting(use: Services, jobs: Sequence[Job]) -> Mapping[str, str]:
    """Say why no worker takes them, of those of ``jobs`` that are queued and that none can take, by id. Workers are
    asked after where a job is queued whose need is known."""
    needs = {job.id: job.memory_bytes for job in jobs if job.status is Status.QUEUED and job.memory_bytes is not None}
    if not needs:
        return {}
    with use.engine.connect() as connection:
        largest = workers.largest(connection)
    reasons = {job_id: workers.waits_for_memory(needed, largest) for job_id, needed in needs.items()}
    return {job_id: reason for job_id, reason in reasons.items() if reason is not None}
