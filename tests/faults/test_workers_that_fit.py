"""Several workers on one machine: each runs a job, and one that is too small for it leaves it to one that is not."""

from __future__ import annotations

from sqlalchemy import select

from jobs.schema import workers
from tests.faults.conftest import Service
from tests.support.waiting import wait_for

MANY = 100_000


def stated(service: Service) -> dict[str, int]:
    """The workers that say that they live, with their memory."""
    with service.engine.connect() as connection:
        rows = connection.execute(select(workers.c.name, workers.c.memory_bytes)).all()
    return {row.name: row.memory_bytes for row in rows}


def test_two_workers_of_one_machine_run_two_jobs_at_once(service: Service) -> None:
    first, second = (service.start_worker() for _ in range(2))
    wait_for(lambda: len(stated(service)) == 2, 60)
    jobs = [service.submit(MANY) for _ in range(2)]
    for job in jobs:
        service.wait_status(job, "running")
    assert {service.store.get(job.id).worker for job in jobs} == set(stated(service))
    for job in jobs:
        wait_for(lambda job=job: service.events(job, "job.progress"), 60)  # type: ignore[misc]
    assert first.training_pid() != second.training_pid()
    for job in jobs:
        service.store.request_cancel(job.id)
        service.wait_status(job, "cancelled")
    first.process.terminate()
    wait_for(lambda: len(stated(service)) == 1, 30)


def test_a_job_goes_to_the_worker_that_has_the_memory(service: Service) -> None:
    for _ in range(3):
        service.start_worker(LETHE_MEMORY_BYTES="1000")
    wait_for(lambda: len(stated(service)) == 3, 60)
    job = service.submit(5)
    assert job.memory_bytes is not None
    assert job.memory_bytes > 1000
    wait_for(lambda: any("nothing to claim" in worker.log.read_text() for worker in service.workers), 30)
    assert str(service.store.get(job.id).status) == "queued"
    service.start_worker()
    assert str(service.wait_status(job, "succeeded").status) == "succeeded"
    (large,) = [name for name, memory in stated(service).items() if memory > 1000]
    (started,) = service.events(job, "job.started")
    assert started.data["worker"] == large
    another = service.submit(5)  # the message may come to any of four
    assert str(service.wait_status(another, "succeeded").status) == "succeeded"
    assert [event.data["worker"] for event in service.events(another, "job.started")] == [large]
