"""What a job took is kept with its publication, and is what is known of the next; and whose turn comes before it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from jobs import estimating, rates, schema, turns, workers
from jobs.ids import new_id
from jobs.job import Job, StoredFile
from jobs.priorities import Priority
from jobs.rows import from_now
from jobs.states import Phase
from jobs.store import JobStore
from jobs.work import Work
from jobs.workers import Worker
from tests.store.making import claimed, created, new_job, publication

WORK = Work(6400, None, "pass", 13.0, 6500, 1, (), 1_848_996, 0, 196.0, 20)
COST = {"images": 3072, "seconds": {"training": 1.0, "checking": 0.25, "probing": 0.0}, "ended": "passed_check"}
WORKER = Worker("worker-1", "0.1.0", "host", "CPU", 10**10)
PHASES = (Phase.TRAINING, Phase.EVALUATING, Phase.PUBLISHING)


def run(
    store: JobStore,
    base_model: str = "fashion",
    phases: tuple[Phase, ...] = PHASES,
    work: Work | None = WORK,
    cost: dict[str, Any] | None = COST,
    job: Job | None = None,
) -> Job:
    """A job from its claim to its publication, each phase of which lasts a second by the events' clock."""
    claim = claimed(store, job or created(store, base_model=base_model))
    for phase in phases:
        store.enter_phase(claim.job.id, claim.attempt, phase)
    events = schema.events
    with store._engine.begin() as connection:
        for number, seq in enumerate(
            connection.execute(
                select(events.c.seq)
                .where(
                    events.c.job_id == claim.job.id, events.c.type != "job.queued", events.c.attempt == claim.attempt
                )
                .order_by(events.c.seq)
            ).scalars()
        ):
            at = from_now(number - len(phases) - 1)
            mine = (events.c.job_id == claim.job.id, events.c.seq == seq)
            connection.execute(update(events).where(*mine).values(created_at=at))
    made = publication()
    pair = {"fake_score/w": StoredFile("c" * 64, 5)}
    generator = dataclasses.replace(made.generator, id=new_id("gen"), pair=pair)
    report = {**made.report, **({} if cost is None else {"cost": cost})}
    made = dataclasses.replace(made, generator=generator, report=report, work=work)
    return store.publish(claim.job.id, claim.attempt, made)


def test_it_is_written_with_the_publication_and_read_for_the_next(store: JobStore, engine: Engine) -> None:
    workers.state(engine, dataclasses.replace(WORKER, gpus=2))
    done = run(store)
    with engine.connect() as connection:
        found = rates.known(connection, "fashion", "CPU", 2)
        assert rates.known(connection, "emoji", "CPU", 1).basis == "other_base_models"
        assert rates.known(connection, "fashion", "GPU", 1).basis == "first_guess"
        assert rates.device_of(connection) == ("CPU", 2)
    (seen,) = found.observations
    assert (found.basis, seen.work, seen.images, seen.passed, seen.gpus) == ("this_base_model", WORK, 3072, True, 2)
    assert seen.stored_bytes == 10 + 5 + 20, "a generator's file, its pair's and its report's"
    assert seen.seconds["preparing"] == pytest.approx(1, abs=0.3)
    assert seen.seconds["training"] == pytest.approx(0.75, abs=0.3)
    assert seen.seconds["checking"] == 0.25
    assert seen.seconds["publishing"] == pytest.approx(1, abs=0.3)
    with engine.begin() as connection:  # as a job is deleted
        for table in (schema.reports, schema.generators):
            connection.execute(table.delete().where(table.c.job_id == done.id))
        connection.execute(schema.jobs.delete().where(schema.jobs.c.id == done.id))
        assert rates.known(connection, "fashion", "CPU", 2).basis == "first_guess"


@pytest.mark.parametrize("lacking", ["work", "cost", "seconds", "phase", "worker", "first attempt"])
def test_what_cannot_be_known_is_not_written_and_the_job_is_published_all_the_same(
    store: JobStore, engine: Engine, lacking: str
) -> None:
    if lacking != "worker":
        workers.state(engine, WORKER)
    job = created(store)
    if lacking == "first attempt":
        store.release(job.id, claimed(store, job).attempt)
    changes: dict[str, dict[str, Any]] = {
        "work": {"work": None},
        "cost": {"cost": None},
        "seconds": {"cost": {"images": 8}},
        "phase": {"phases": PHASES[1:]},
    }
    assert run(store, job=job, **changes.get(lacking, {})).verdict == "pass"
    with engine.connect() as connection:
        assert connection.execute(select(schema.rates)).all() == []


def test_tenants_take_turns_before_it(store: JobStore, engine: Engine) -> None:
    def ahead(tenant: str, priority: Priority = Priority.NORMAL) -> int:
        with engine.connect() as connection:
            return turns.ahead(connection, tenant, priority)

    assert ahead("acme") == 0
    for _ in range(5):
        created(store, "other")
    assert ahead("acme") == 1, "the other's oldest, then it is acme's turn"
    created(store, "acme")
    assert ahead("acme") == 3
    assert ahead("other") == 6
    assert (ahead("other", Priority.URGENT), ahead("other", Priority.LOW)) == (1, 6), "its own queue is passed"
    claimed(store, created(store, "acme"))
    assert ahead("acme") == 4


def test_when_it_would_start(store: JobStore, engine: Engine) -> None:
    def starts(**changes: Any) -> Any:
        return estimating.estimate(engine, new_job(**changes), WORK)

    nobody = starts()
    assert (nobody.workers, nobody.starts_in, nobody.position) == (0, None, 1)
    workers.state(engine, WORKER)
    idle = starts()
    assert (idle.workers, idle.starts_in.high) == (1, 0)
    claim = claimed(store)
    store.progress(claim.job.id, claim.attempt, {"eta_seconds": 100.0})
    assert starts().starts_in.likely == 100
    created(store)
    behind = starts()
    assert behind.position == 2
    assert behind.starts_in.likely == pytest.approx(100 + behind.forecast.total().likely)
    workers.state(engine, dataclasses.replace(WORKER, name="worker-2"))
    assert starts().starts_in.likely == pytest.approx(100)
    large = starts(memory_bytes=10**11)
    assert (large.workers, large.starts_in) == (0, None)
    assert "needs at least 100.0 GB" in large.waiting
