"""Several workers on one machine: each runs a job, and one that is too small for it leaves it to one that is not."""

from __future__ import annotations

from sqlalchemy import select

from jobs.job import Job
from jobs.schema import workers
from jobs.states import Status
from tests.faults.conftest import Service
from tests.support.waiting import wait_for

MANY = 100_000


def stated(service: Service) -> dict[str, int]:
    """The workers that say that they live, with their memory."""
    with service.engine.connect() as connection:
        rows = connection.execute(select(workers.c.name, workers.c.memory_bytes)).all()
    return {row.name: row.memory_bytes for row in rows}


def claimed_by(service: Service, job: Job) -> list[str]:
    """The workers that have claimed the job so far, once there is one."""
    started = wait_for(lambda: service.events(job, "job.started"), 60)
    return [event.data["worker"] for event in started]


def test_two_workers_of_one_machine_hold_two_jobs_at_once(service: Service) -> None:
    """That both train at once: ``tests/local/test_stack.py``."""
    first, _ = (service.start_worker() for _ in range(2))
    wait_for(lambda: len(stated(service)) == 2, 60)
    jobs = [service.submit(MANY) for _ in range(2)]
    for job in jobs:
        service.wait_status(job, "running")
    assert {service.store.get(job.id).worker for job in jobs} == set(stated(service))
    first.process.terminate()
    wait_for(lambda: len(stated(service)) == 1, 60)


def test_a_job_goes_to_the_worker_that_has_the_memory(service: Service) -> None:
    service.start_worker(LETHE_MEMORY_BYTES="1000")
    wait_for(lambda: stated(service), 60)
    job = service.submit(MANY)
    assert job.memory_bytes is not None
    assert job.memory_bytes > 1000
    wait_for(lambda: any("nothing to claim" in worker.log.read_text() for worker in service.workers), 60)
    assert service.store.get(job.id).status is Status.QUEUED
    service.start_worker()
    (worker,) = claimed_by(service, job)
    assert stated(service)[worker] > 1000
    service.store.request_cancel(job.id)
    service.wait_status(job, "cancelled")
    another = service.submit(MANY)  # the message may come to either
    assert claimed_by(service, another) == [worker]
