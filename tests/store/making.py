"""Jobs and publications for the tests, and the ways to bring a job into each state."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from sqlalchemy import Engine, func, select, update

from jobs import schema
from jobs.ids import new_id
from jobs.rows import from_now
from jobs.states import Status
from jobs.store import Claim, Job, JobError, JobStore, NewGenerator, NewJob, Publication, StoredFile
from jobs.webhooks import NewWebhook, named_events

T = TypeVar("T")

LEASE = 60.0
CRASH = JobError.of("training_crashed", "the training process died of signal 11")
DIVERGED = JobError.of("training_diverged", "loss is NaN at step 12")


def new_job(tenant: str = "acme", base_model: str = "fashion", **more: object) -> NewJob:
    """A job as the api would submit it."""
    request = {"base_model": base_model, "forget": [{"concept": "Sneaker", "override": "Sandal"}], "seed": 7}
    return NewJob(tenant, request, base_model, "sha256:" + "0" * 64, **more)  # type: ignore[arg-type]


def new_webhook(url: str = "https://example.org/hook", *events: str, kind: str = "webhook") -> NewWebhook:
    """A webhook as the api would store it, but for the seal."""
    return NewWebhook(kind, url, f"sealed {url}", "sealed secret", named_events(events))


def created(store: JobStore, tenant: str = "acme", base_model: str = "fashion") -> Job:
    """A queued job."""
    return store.create(new_job(tenant, base_model))[0]


def claimed(store: JobStore, job: Job | None = None) -> Claim:
    """A job that a worker holds."""
    claim = store.claim((job or created(store)).id, "worker-1", LEASE)
    assert claim is not None
    return claim


def publication(verdict: str = "pass") -> Publication:
    """What a worker publishes."""
    file = StoredFile("a" * 64, 10)
    generator = NewGenerator(
        id=new_id("gen"),
        forget=[{"concept": "Sneaker", "override": "Sandal"}],
        figures={"unlearning_accuracy": 0.995},
        files={"unet/w": file},
        digest="sha256:1",
        record='{"payload": "eyJhIjogMX0=", "signatures": []}',
    )
    report_files = {"report.html": StoredFile("b" * 64, 20, "text/html")}
    return Publication(verdict, generator, {"schema_version": 1, "verdict": verdict}, report_files)  # type: ignore[arg-type]


def in_state(store: JobStore, status: Status) -> Job:
    """A job brought to ``status`` by the moves that lead there."""
    job = created(store)
    if status is Status.QUEUED:
        return job
    if status is Status.CANCELLED:
        return store.request_cancel(job.id)
    attempt = claimed(store, job).attempt
    if status is Status.CANCELLING:
        return store.request_cancel(job.id)
    if status is Status.SUCCEEDED:
        return store.publish(job.id, attempt, publication())
    if status is Status.FAILED:
        return store.give_up(job.id, attempt, DIVERGED, 3)
    return store.get(job.id)


def expire(engine: Engine, job_id: str) -> None:
    """Let the job's lease have run out a second ago, as if its worker had been silent for so long."""
    with engine.begin() as connection:
        connection.execute(update(schema.jobs).where(schema.jobs.c.id == job_id).values(lease_until=from_now(-1)))


def unsent(engine: Engine) -> list[str]:
    """The job ids that wait in the outbox, oldest first."""
    query = select(schema.outbox.c.job_id).where(schema.outbox.c.sent_at.is_(None)).order_by(schema.outbox.c.id)
    with engine.connect() as connection:
        return list(connection.execute(query).scalars())


def count(engine: Engine, table: str) -> int:
    """How many rows a table has."""
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(schema.metadata.tables[table])).scalar_one()


def at_once(n: int, what: Callable[[int], T]) -> list[T]:
    """``what(0)`` ... ``what(n - 1)``, each in a thread of its own, all let go at the same moment."""
    barrier = Barrier(n)

    def run(i: int) -> T:
        barrier.wait(10)
        return what(i)

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(run, range(n)))
