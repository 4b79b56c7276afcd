"""Deletions: what a job or a generator was goes, and a signed tombstone stays, in one transaction. The files go after,
by the reaper (``worker.deletion``): so a kill anywhere leaves either all of it, or a tombstone whose files go next.

It runs as the tables' owner and names the tenant itself: behind the wall (``jobs.wall``) nothing is deleted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from securesystemslib.signer import CryptoSigner
from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    Text,
    delete,
    func,
    insert,
    literal_column,
    select,
    true,
    update,
)

from jobs import audit, rows, tombstones
from jobs.audit import SERVICE, Action, Actor
from jobs.errors import GeneratorNotFound, JobConflict, JobNotFound, LetheError, SigningKeyMissing
from jobs.ids import is_id, new_id
from jobs.job import Job, StoredFile
from jobs.record.signing import sign
from jobs.record.statement import EVALUATION
from jobs.record.tombstone import Deletion, build_tombstone
from jobs.schema import PARENT, generators, jobs, reports
from jobs.schema import tombstones as table
from jobs.tombstones import Tombstone

PAIR = "pair"
"""Where a tombstone names the files that no archive has."""
_WHATEVER = true()
_NOTHING: Mapping[str, StoredFile] = {}


@dataclass(frozen=True)
class Order:
    """An order to delete something. ``by``: who, as a person and as a program can tell; ``reason``: why. ``signer``:
    signs the tombstone; None: it is unsigned. ``actor``: who it was to the audit log."""

    by: str
    reason: str
    signer: CryptoSigner | None = field(default=None, repr=False)
    actor: Actor = SERVICE


def delete_job(
    engine: Engine, job_id: str, tenant: str, order: Order, still: ColumnElement[bool] = _WHATEVER
) -> Tombstone:
    """Delete a job that is over: its request, events, messages, labels, report, and its generator with it. Deleting
    it again changes nothing, and answers the same tombstone. ``still``: what must be so of its row once that is locked.

    Raises:
        JobNotFound: there is none, or it is another tenant's, or ``still`` is not so.
        JobConflict: it waits or runs.
        SigningKeyMissing: its generator's record is signed, and there is no key to sign the tombstone.
    """
    if not is_id("job", job_id):
        raise JobNotFound(job_id)
    with engine.begin() as connection:
        job = rows.lock(connection, jobs.c.id == job_id, jobs.c.tenant == tenant, still)
        if job is None:
            return _earlier(connection, job_id, tenant, JobNotFound(job_id))
        if not job.terminal:
            message = f"job {job_id} is {job.status}, and a job is deleted once it is over: cancel it first"
            raise JobConflict(message, status=str(job.status))
        generator = _locked_generator(connection, generators.c.job_id == job_id)
        report = connection.execute(select(reports.c.files).where(reports.c.job_id == job_id)).scalar_one_or_none()
        files = {f"{EVALUATION}/{name}": stored for name, stored in _stored(report).items()}
        counted: dict[str, StoredFile] = {}
        if generator is not None and generator.deleted_at is None:
            counted = _of_generator(generator)
            _bury(connection, generator.id, job, generator, counted, order)
        tombstone = _bury(connection, job_id, job, generator, files | counted, order, counted)
        connection.execute(delete(reports).where(reports.c.job_id == job_id))
        connection.execute(delete(generators).where(generators.c.job_id == job_id))
        connection.execute(delete(jobs).where(jobs.c.id == job_id))  # and by foreign keys what else is a job's
        _note(connection, order, Action.JOB_DELETE, tombstone)
    return tombstone


def delete_generator(
    engine: Engine, generator_id: str, tenant: str, order: Order, still: ColumnElement[bool] = _WHATEVER
) -> Tombstone:
    """Delete a generator, published or withheld; its job and its report stay. Deleting it again changes nothing, and
    answers the same tombstone. ``still``: what must be so of its row once that is locked.

    Raises:
        GeneratorNotFound: there is none, or it is another tenant's, or ``still`` is not so.
        SigningKeyMissing: its record is signed, and there is no key to sign the tombstone.
    """
    if not is_id("gen", generator_id):
        raise GeneratorNotFound(generator_id)
    with engine.begin() as connection:
        mine = (generators.c.id == generator_id, generators.c.tenant == tenant)
        of_job = connection.execute(select(generators.c.job_id).where(*mine)).scalar_one_or_none()
        # The job first, as whoever deletes that does: else the two would wait for each other.
        job = None if of_job is None else rows.lock(connection, jobs.c.id == of_job)
        generator = _locked_generator(connection, *mine, still)
        if job is None or generator is None or generator.deleted_at is not None:
            return _earlier(connection, generator_id, tenant, GeneratorNotFound(generator_id))
        tombstone = _bury(connection, generator_id, job, generator, _of_generator(generator), order)
        connection.execute(
            update(generators)
            .where(generators.c.id == generator_id)
            .values(
                deleted_at=func.now(),
                files={},
                pair={},
                figures={},
                forget=[],
                record="",
                release=None if generator.release is None else {},
            )
        )
        _note(connection, order, Action.GENERATOR_DELETE, tombstone)
    return tombstone


def _bury(
    connection: Connection,
    deleted: str,
    job: Job,
    generator: Row[Any] | None,
    files: Mapping[str, StoredFile],
    order: Order,
    counted: Mapping[str, StoredFile] = _NOTHING,
) -> Tombstone:
    """Write the tombstone of a job or a generator, signed. Every deletion comes by here. ``counted``: files whose bytes
    another tombstone has."""
    record = None if generator is None or not generator.record else str(generator.record)
    earlier = None
    if record is None and job.generator_id is not None:  # it was deleted before
        earlier = tombstones.find(connection, job.generator_id)
    envelope = earlier.statement if earlier is not None else record
    if order.signer is None and envelope is not None and json.loads(envelope)["signatures"]:
        raise SigningKeyMissing("the record is signed, and so must the tombstone be: set LETHE_SIGNING_KEY")
    deletion = Deletion(
        deleted=deleted,
        job=job.id,
        generator=job.generator_id,
        base_model=job.base_model,
        base_model_digest=job.base_model_digest,
        verdict=job.verdict,
        record_sha256=_record_digest(record, earlier),
        by=order.by,
        reason=order.reason,
        at=connection.execute(select(func.now())).scalar_one().isoformat(timespec="seconds"),
        descendants=_descendants(connection, job),
    )
    statement = build_tombstone(deletion, {name: stored.sha256 for name, stored in files.items()})
    # Of a digest there is one file, however many names it has.
    sizes = {stored.sha256: stored.size for stored in files.values()}
    for stored in counted.values():
        sizes.pop(stored.sha256, None)
    row = connection.execute(
        insert(table)
        .values(
            id=new_id("del"),
            tenant=job.tenant,
            deleted=deleted,
            job_id=job.id,
            attempt=None if generator is None or deleted == job.id else generator.attempt,
            statement=sign(statement, order.signer),
            bytes=sum(sizes.values()),
        )
        .returning(*table.c)
    ).one()
    return tombstones.to_tombstone(row)


def _note(connection: Connection, order: Order, action: Action, tombstone: Tombstone) -> None:
    """Write what was deleted into the audit log: before it was its record, after it is its tombstone."""
    before, after = tombstone.deletion.record_sha256, audit.text_digest(tombstone.statement)
    audit.write(connection, order.actor, action, tombstone.tenant, tombstone.deleted, before=before, after=after)


def _record_digest(record: str | None, earlier: Tombstone | None) -> str | None:
    """Of the generator's record; of one that was deleted before, as its own tombstone names it."""
    if record is not None:
        return hashlib.sha256(record.encode()).hexdigest()
    return None if earlier is None else earlier.deletion.record_sha256


def _descendants(connection: Connection, job: Job) -> Sequence[str]:
    """The jobs that go on from the job's generator, oldest first: of those that came after it."""
    if job.generator_id is None:
        return ()
    return connection.execute(started_from(job.tenant, job.generator_id, job.id)).scalars().all()


def started_from(tenant: str, generator_id: str, after: str) -> Select[Any]:
    """Select the ids of the tenant's jobs that go on from a generator, oldest first, of those that came after the job
    ``after``. It reads no others, however many there are."""
    which = (jobs.c.tenant == tenant, literal_column(PARENT, Text) == generator_id, jobs.c.id > after)
    return select(jobs.c.id).where(*which).order_by(jobs.c.id)


def _earlier(connection: Connection, deleted: str, tenant: str, otherwise: LetheError) -> Tombstone:
    """The tombstone of what was deleted before; or raise ``otherwise``."""
    found = tombstones.find(connection, deleted, tenant)
    if found is None:
        raise otherwise
    return found


def _locked_generator(connection: Connection, *where: Any) -> Row[Any] | None:
    return connection.execute(select(generators).where(*where).with_for_update()).one_or_none()


def _of_generator(generator: Row[Any]) -> dict[str, StoredFile]:
    """Its files by name, and those that other runs went on from."""
    return _stored(generator.files) | {f"{PAIR}/{name}": stored for name, stored in _stored(generator.pair).items()}


def _stored(files: Mapping[str, Mapping[str, Any]] | None) -> dict[str, StoredFile]:
    return {name: StoredFile(**stored) for name, stored in (files or {}).items()}
