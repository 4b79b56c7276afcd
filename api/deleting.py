"""A deletion as somebody asks for it: who it was, and with which key it is signed."""

from __future__ import annotations

from api.auth import Identity
from api.logs import log
from api.services import Services
from jobs import deleting
from jobs.deleting import Order
from jobs.tombstones import Tombstone


def delete_job(use: Services, who: Identity, job_id: str, reason: str) -> Tombstone:
    """Delete a job that is over, and its generator with it. Deleting it again answers the same tombstone.

    Raises:
        JobNotFound, JobConflict, SigningKeyMissing: as ``jobs.deleting.delete_job``.
    """
    return _said(deleting.delete_job(use.engine, job_id, who.tenant, _order(use, who, reason)))


def delete_generator(use: Services, who: Identity, generator_id: str, reason: str) -> Tombstone:
    """Delete a generator. Deleting it again answers the same tombstone.

    Raises:
        GeneratorNotFound, SigningKeyMissing: as ``jobs.deleting.delete_generator``.
    """
    return _said(deleting.delete_generator(use.engine, generator_id, who.tenant, _order(use, who, reason)))


def _order(use: Services, who: Identity, reason: str) -> Order:
    return Order(who.named(), reason, use.signer, who.actor)


def _said(tombstone: Tombstone) -> Tombstone:
    log.warning("deleted", deleted=tombstone.deleted, by=tombstone.deletion.by)
    return tombstone
