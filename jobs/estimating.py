"""What a job would take if it were submitted now: its forecast, and when it would have its turn."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, select

from jobs import rates, turns, workers
from jobs.forecast import NOTHING, Forecast, Range
from jobs.job import NewJob
from jobs.schema import jobs
from jobs.schema import workers as worker_rows
from jobs.work import Work

RUNNING = (0.5, 1.0, 2.0)
"""What a running job says that is left of it, as it may turn out: at least, likely, at most."""


@dataclass(frozen=True)
class Estimate:
    """An estimate of a job. ``workers``: that live and have the memory for it; ``largest``: the most memory that one
    has which lives, None where that or every worker is unknown; ``waiting``: why none would take it; ``position``: in
    the queue, 1 is next; ``starts_in``: seconds, None where no worker would take it."""

    forecast: Forecast
    workers: int
    largest: int | None
    waiting: str | None
    position: int
    starts_in: Range | None


def estimate(engine: Engine, new: NewJob, work: Work) -> Estimate:
    """Estimate ``new``, which is ``work``, as of now. ``engine``: one that sees what all tenants have in the queue."""
    with engine.connect() as connection:
        largest = workers.largest(connection)
        fitting = (workers.lives(), workers.has(new.memory_bytes))
        device, gpus = rates.device_of(connection, *fitting)
        forecast = Forecast.of(work, rates.known(connection, new.base_model, device, gpus))
        ahead = turns.ahead(connection, new.tenant, new.priority)
        free = _free_in(connection, forecast, new.memory_bytes)
    return Estimate(
        forecast,
        len(free),
        None if largest is None else largest.memory_bytes,
        workers.waits_for_memory(new.memory_bytes, largest),
        ahead + 1,
        _starts_in(free, ahead, forecast.total()) if free else None,
    )


def _free_in(connection: Connection, forecast: Forecast, memory_bytes: int | None) -> list[Range]:
    """In how many seconds each worker is free that would take the job."""
    held = worker_rows.outerjoin(jobs, (jobs.c.worker == worker_rows.c.name) & jobs.c.lease_until.is_not(None))
    query = select(jobs.c.id, jobs.c.progress).select_from(held).where(workers.lives(), workers.has(memory_bytes))
    return [
        NOTHING if row.id is None else _left(row.progress.get("eta_seconds"), forecast)
        for row in connection.execute(query)
    ]


def _left(told: float | None, forecast: Forecast) -> Range:
    return forecast.total() if told is None else Range(*(told * factor for factor in RUNNING))


def _starts_in(free: Iterable[Range], ahead: int, each: Range) -> Range:
    """When a worker is free for the job behind ``ahead`` others, which are taken to be as long as ``each``."""

    def after(times: list[float], lasts: float) -> float:
        heapq.heapify(times)
        for _ in range(ahead):
            heapq.heapreplace(times, times[0] + lasts)
        return times[0]

    ends = [(one.low, one.likely, one.high) for one in free]
    low, likely, high = (list(times) for times in zip(*ends, strict=True))
    return Range(after(low, each.low), after(likely, each.likely), after(high, each.high))
