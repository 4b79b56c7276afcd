"""The workers that train: what each states of itself, which of them live, and which jobs fit whom.

A job whose need is not known fits every worker, and a worker whose memory is not known takes every job.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from sqlalchemy import ColumnElement, Connection, Engine, delete, exists, func, or_, select, true
from sqlalchemy.dialects.postgresql import insert

from jobs import rows
from jobs.schema import jobs, workers

LIVES_SECONDS = 30.0
"""A worker that has not stated itself for so long is taken for gone: it does so every five seconds."""
FORGET_SECONDS = 24 * 3600.0
"""How long the row of a worker stays that is gone without a word."""


@dataclass(frozen=True)
class Worker:
    """A worker as it states itself. ``name``: no other has it; ``device``: in words; ``memory_bytes``: what the device
    has for a job, None where it is not known; ``gpus``: how many of them train a job together."""

    name: str
    version: str
    host: str
    device: str
    memory_bytes: int | None
    gpus: int = 1


@dataclass(frozen=True)
class Largest:
    """The most memory that any of some workers has; ``memory_bytes`` is None where one of them takes every job."""

    memory_bytes: int | None


def state(engine: Engine, worker: Worker) -> None:
    """Write that ``worker`` lives."""
    values = asdict(worker)
    seen = insert(workers).values(**values)
    seen = seen.on_conflict_do_update(index_elements=["name"], set_={**values, "seen_at": func.now()})
    with engine.begin() as connection:
        connection.execute(seen)


def leave(engine: Engine, name: str) -> None:
    """Remove the worker ``name``: it has stopped in good order."""
    with engine.begin() as connection:
        connection.execute(delete(workers).where(workers.c.name == name))


def forget_gone(engine: Engine) -> int:
    """Remove workers that are long gone without a word. Returns how many."""
    with engine.begin() as connection:
        return connection.execute(delete(workers).where(workers.c.seen_at < rows.from_now(-FORGET_SECONDS))).rowcount


def fits(memory_bytes: int | None) -> ColumnElement[bool]:
    """Say of a job whether a worker with so much memory takes it."""
    if memory_bytes is None:
        return true()
    return or_(jobs.c.memory_bytes.is_(None), jobs.c.memory_bytes <= memory_bytes)


def lives() -> ColumnElement[bool]:
    """Say of a worker whether it was heard of lately."""
    return workers.c.seen_at > rows.from_now(-LIVES_SECONDS)


def has(memory_bytes: int | None) -> ColumnElement[bool]:
    """Say of a worker whether it has the memory for a job that needs so much."""
    if memory_bytes is None:
        return true()
    return or_(workers.c.memory_bytes.is_(None), workers.c.memory_bytes >= memory_bytes)


def largest(connection: Connection, *, idle: bool = False) -> Largest | None:
    """Find the most memory that a worker has which lives, and runs nothing where an ``idle`` one is asked for; None
    where there is no such worker that states itself."""
    where = [lives()]
    if idle:
        where.append(~exists().where(jobs.c.lease_until.is_not(None), jobs.c.worker == workers.c.name))
    most = select(func.count(), func.count(workers.c.memory_bytes), func.max(workers.c.memory_bytes)).where(*where)
    there, stated, memory_bytes = connection.execute(most).one()
    if not there:
        return None
    return Largest(memory_bytes if stated == there else None)


def waits_for_memory(memory_bytes: int | None, largest: Largest | None) -> str | None:
    """Say why no worker takes a job that needs so much; None where one does or may, and where none lives: then it is
    not memory that it waits for."""
    if memory_bytes is None or largest is None or largest.memory_bytes is None or memory_bytes <= largest.memory_bytes:
        return None
    needed, most = (f"{value / 1e9:.1f} GB" for value in (memory_bytes, largest.memory_bytes))
    return f"needs at least {needed} of device memory; the largest worker that is there has {most}"
