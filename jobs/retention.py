"""How long what is kept is kept, where somebody has said so: jobs and generators that are deleted by their age, as
somebody deletes them, with a tombstone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from securesystemslib.signer import CryptoSigner
from sqlalchemy import Engine, Select, select

from jobs import rows
from jobs.deleting import Order, delete_generator, delete_job
from jobs.errors import GeneratorNotFound, JobConflict, JobNotFound
from jobs.schema import generators, jobs
from jobs.settings import Settings
from jobs.states import Status
from jobs.tombstones import Tombstone

DAY = 24 * 3600.0
AT_ONCE = 500
"""What of each kind is deleted in one round; the rest goes in the next."""


def delete_overdue(engine: Engine, settings: Settings, signer: CryptoSigner | None) -> list[Tombstone]:
    """Delete withheld generators, and jobs that failed or were cancelled, that are older than the settings say. Nothing
    where they say nothing.

    Raises:
        SigningKeyMissing: a record is signed, and this process has no key to sign its tombstone.
    """
    made: list[Tombstone] = []
    if (days := settings.keep_withheld_days) is not None:
        old = select(generators.c.id, generators.c.tenant).where(
            generators.c.status == "withheld",
            generators.c.deleted_at.is_(None),
            generators.c.created_at < rows.from_now(-days * DAY),
        )
        made += _delete(engine, old.order_by(generators.c.id), delete_generator, _order("WITHHELD", days, signer))
    if (days := settings.keep_unsuccessful_days) is not None:
        old = select(jobs.c.id, jobs.c.tenant).where(
            jobs.c.status.in_([str(Status.FAILED), str(Status.CANCELLED)]),
            jobs.c.finished_at < rows.from_now(-days * DAY),
        )
        made += _delete(engine, old.order_by(jobs.c.id), delete_job, _order("UNSUCCESSFUL", days, signer))
    return made


def _order(what: str, days: float, signer: CryptoSigner | None) -> Order:
    return Order("the service", f"older than LETHE_KEEP_{what}_DAYS={days:g} says", signer)


def _delete(
    engine: Engine, old: Select[Any], delete: Callable[[Engine, str, str, Order], Tombstone], order: Order
) -> Sequence[Tombstone]:
    with engine.connect() as connection:
        found = connection.execute(old.limit(AT_ONCE)).all()
    made = []
    for row in found:
        try:
            made.append(delete(engine, row.id, row.tenant, order))
        except (JobConflict, JobNotFound, GeneratorNotFound):  # retried, or deleted with its job, a moment ago
            continue
    return made
