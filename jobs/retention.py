"""How long what is kept is kept, where somebody has said so: jobs and generators that are deleted by their age, as
somebody deletes them, with a tombstone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from securesystemslib.signer import CryptoSigner
from sqlalchemy import ColumnElement, Engine, Table, and_, select

from jobs import rows
from jobs.deleting import Order, delete_generator, delete_job
from jobs.errors import GeneratorNotFound, JobNotFound
from jobs.schema import generators, jobs
from jobs.settings import Settings
from jobs.states import Status
from jobs.tombstones import Tombstone

DAY = 24 * 3600.0
AT_ONCE = 100
"""What of each kind is deleted in one round, which is to hold up no lease that ran out; the rest goes in the next."""


def delete_overdue(engine: Engine, settings: Settings, signer: CryptoSigner | None) -> list[Tombstone]:
    """Delete withheld generators, and jobs that failed or were cancelled, that are older than the settings say. Nothing
    where they say nothing.

    Raises:
        SigningKeyMissing: a record is signed, and this process has no key to sign its tombstone.
    """
    made: list[Tombstone] = []
    if (days := settings.keep_withheld_days) is not None:
        old = and_(
            generators.c.status == "withheld",
            generators.c.deleted_at.is_(None),
            generators.c.created_at < rows.from_now(-days * DAY),
        )
        made += _delete(engine, generators, old, delete_generator, _order("WITHHELD", days, signer))
    if (days := settings.keep_unsuccessful_days) is not None:
        old = and_(
            jobs.c.status.in_([str(Status.FAILED), str(Status.CANCELLED)]),
            jobs.c.finished_at < rows.from_now(-days * DAY),
        )
        made += _delete(engine, jobs, old, delete_job, _order("UNSUCCESSFUL", days, signer))
    return made


def _order(what: str, days: float, signer: CryptoSigner | None) -> Order:
    return Order("the service", f"older than LETHE_KEEP_{what}_DAYS={days:g} says", signer)


def _delete(
    engine: Engine, table: Table, old: ColumnElement[bool], delete: Callable[..., Tombstone], order: Order
) -> Sequence[Tombstone]:
    with engine.connect() as connection:
        found = connection.execute(select(table.c.id, table.c.tenant).where(old).order_by(table.c.id).limit(AT_ONCE))
        ids = found.all()
    made = []
    for row in ids:
        # Asked again under the lock: since we looked, somebody may have released or retried it.
        with suppress(JobNotFound, GeneratorNotFound):
            made.append(delete(engine, row.id, row.tenant, order, old))
    return made
