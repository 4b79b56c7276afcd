"""Estimates beside what real jobs took, and the time that is left as these jobs tell it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from sqlalchemy import Engine, select

from jobs import rates, schema
from jobs.forecast import Forecast, Range
from jobs.job import Job
from jobs.states import EventType, Status
from jobs.work import PARTS, Work
from sfd_core.admission import admit
from sfd_core.base_model.manifest import BaseModel
from tests.support.attempts import body_of, submitted
from worker.runner import Runner

JOBS: tuple[dict[str, Any], ...] = (
    {"steps": 20},
    {"steps": 60},
    {"steps": 30, "evaluation": {"images_per_concept": 200, "images_per_forgotten_concept": 100}},
    {"steps": 40},
)
"""The first is what the ranges of the others rest on, then each on those before it."""


def forecast(engine: Engine, model: BaseModel, asked: dict[str, Any]) -> Forecast:
    request = admit(body_of(**asked), model).request
    with engine.connect() as connection:
        return Forecast.of(Work.of(request, model), rates.known(connection, model.name, "CPU", 1))


def took(job: Job) -> float:
    assert job.started_at is not None
    assert job.finished_at is not None
    return (job.finished_at - job.started_at).total_seconds()


def told(runner: Runner, job: Job) -> list[dict[str, Any]]:
    """What is left, with the second in which it was said, from the start of the job on."""
    found = [event for event in runner.store.events(job.id, 0, 1000) if event.type is EventType.PROGRESS]
    assert job.started_at is not None
    return [{**event.data, "at": (event.created_at - job.started_at).total_seconds()} for event in found]


def test_ranges_hold_what_jobs_take_and_what_is_left_does_not_jump(
    engine: Engine, model: BaseModel, runner: Runner
) -> None:
    held, first = [], forecast(engine, model, JOBS[0])
    assert (first.known.basis, first.known.observations) == ("first_guess", ())
    assert first.total().high > 20 * first.total().low, "a guess says that it is one"
    for number, asked in enumerate(JOBS):
        before = forecast(engine, model, asked)
        job = submitted(runner.store, model, **asked)
        runner.run()
        job = runner.store.get(job.id)
        assert job.status is Status.SUCCEEDED, job.error
        if number:
            total, seconds = before.total(), took(job)
            assert (before.known.basis, len(before.known.observations)) == ("this_base_model", number)
            assert total.high < 12 * total.low, "a range that holds everything says nothing"
            held.append(total.low <= seconds <= total.high)
        left = told(runner, job)
        assert left[0]["at"] < 1.0
        assert left[0]["eta_seconds"] > 0, "from the first second"
        shares = [each["share"] for each in left]
        assert shares == sorted(shares)
        for earlier, later in pairwise(left):
            grown = later["eta_seconds"] - earlier["eta_seconds"]
            assert grown <= 1.0 + 0.5 * earlier["eta_seconds"], (earlier, later)
        if number:
            assert left[-1]["eta_seconds"] < 0.5 * took(job) + 1.0
    assert sum(held) >= len(held) - 1, held
    rows = observed(engine)
    assert [row.images for row in rows] == [8 * asked["steps"] for asked in JOBS]
    for row in rows:
        assert row.stored_bytes > 0
        assert {*PARTS, "checking"} == set(row.seconds)
        assert all(row.seconds[part] > 0 for part in ("preparing", "training", "evaluating", "publishing"))


def observed(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(schema.rates).order_by(schema.rates.c.job_id)))


def test_a_range_is_an_order() -> None:
    assert (Range(1, 2, 3) + Range(1, 1, 1)) * 2 == Range(4, 6, 8)
    assert Range(1, 2, 3).at_most(2) == Range(1, 2, 2)
