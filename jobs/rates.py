"""What jobs took (``rates``): written in the transaction that publishes a job, and asked for when another is estimated.

A row has no tenant: seconds of a base model on a device say nothing of who asked, and the service asks for them all.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select

from jobs.forecast import Known, Observation
from jobs.job import Job, Publication
from jobs.schema import events, rates, workers
from jobs.states import EventType, Phase
from jobs.work import CPU

NEWEST = 50
"""Jobs that are looked at, of a base model on a device: what was long ago ran on another version."""


def observe(connection: Connection, job: Job, publication: Publication) -> None:
    """Write down what ``job``, which is about to be published, took. Nothing where that cannot be known: it was
    interrupted, or what would say it is not there."""
    cost, work = publication.report.get("cost") or {}, publication.work
    ran_on = connection.execute(select(workers.c.device, workers.c.gpus).where(workers.c.name == job.worker))
    worker = ran_on.one_or_none()
    if work is None or "seconds" not in cost or worker is None or job.attempt != 1:
        return
    seconds = _seconds(connection, job, cost["seconds"])
    if seconds is None:
        return
    made = publication.generator
    files = (*made.files.values(), *made.pair.values(), *publication.report_files.values())
    connection.execute(
        insert(rates).values(
            job_id=job.id,
            base_model=job.base_model,
            device=worker.device,
            gpus=worker.gpus,
            work=work.to_json(),
            images=cost["images"],
            passed=cost["ended"] == "passed_check",
            seconds=seconds,
            stored_bytes=sum(file.size for file in files),
        )
    )


def known(connection: Connection, base_model: str, device: str, gpus: int) -> Known:
    """Find what is known of ``base_model`` on ``device``: what its newest jobs took, or else those of others."""
    for basis, where in (
        ("this_base_model", (rates.c.base_model == base_model, rates.c.device == device)),
        ("other_base_models", (rates.c.device == device,)),
    ):
        if found := _newest(connection, where):
            return Known(device, gpus, basis, found)  # type: ignore[arg-type]
    return Known(device, gpus)


def device_of(connection: Connection, *which: ColumnElement[bool]) -> tuple[str, int]:
    """Return the device of the workers of ``which`` that most of them have, and how many GPUs train together there;
    the newest job's where there is no such worker, and a CPU where there was no job."""
    there = connection.execute(select(workers.c.device, workers.c.gpus).where(*which)).all()
    kinds = [(row.device, row.gpus) for row in there]
    if kinds:
        return max(sorted(set(kinds)), key=kinds.count)
    newest = select(rates.c.device, rates.c.gpus).order_by(rates.c.job_id.desc()).limit(1)
    row = connection.execute(newest).one_or_none()
    return (CPU, 1) if row is None else (row.device, row.gpus)


def _newest(connection: Connection, where: tuple[ColumnElement[bool], ...]) -> tuple[Observation, ...]:
    rows = connection.execute(select(rates).where(*where).order_by(rates.c.job_id.desc()).limit(NEWEST))
    return tuple(Observation.from_row(dict(row._mapping)) for row in rows)


def _seconds(connection: Connection, job: Job, cost: Mapping[str, float]) -> dict[str, float] | None:
    """Seconds by part, from the events that began each phase, up to now; None where one of them was not written."""
    mine = (events.c.job_id == job.id, events.c.attempt == job.attempt)
    moves = events.c.type.in_([str(EventType.STARTED), str(EventType.PHASE)])
    now = select(events.c.type, events.c.data, events.c.created_at).where(*mine, moves).order_by(events.c.seq)
    began: dict[str, Any] = {}
    for row in connection.execute(now):
        began[row.data.get("phase", str(Phase.PREPARING))] = row.created_at
    if set(began) != {str(phase) for phase in Phase}:
        return None
    began["end"] = connection.execute(select(func.clock_timestamp())).scalar_one()
    order = [*map(str, (Phase.PREPARING, Phase.TRAINING, Phase.EVALUATING, Phase.PUBLISHING)), "end"]
    lasted = {phase: (began[after] - began[phase]).total_seconds() for phase, after in itertools.pairwise(order)}
    checking, probing = cost.get("checking", 0.0), cost.get("probing", 0.0)
    return {
        **lasted,
        "training": max(0.0, lasted["training"] - checking),
        "checking": checking,
        "evaluating": max(0.0, lasted["evaluating"] - probing),
        "probing": probing,
    }
