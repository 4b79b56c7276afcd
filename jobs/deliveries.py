"""Deliveries: what webhooks are to be told, and what became of it. A row is written by a trigger with the event that
it tells, in its transaction (``migrations``), as the outbox is. It is sent after commit, and no job waits for that.

A sender takes a row for a while (a lease), tries, and writes how it went. Of one that died the lease runs out and
another takes the row: a receiver may be told twice, with the same id, and is never not told.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Engine, Row, delete, exists, func, or_, select, text, update

from jobs import audit, rows, wall
from jobs.audit import SERVICE, Action, Actor
from jobs.errors import DeliveryNotFound, WebhookConflict
from jobs.ids import is_id
from jobs.paging import Page, check_limit, page, read_cursor
from jobs.schema import deliveries, webhooks
from jobs.states import EventType

DeliveryStatus = Literal["pending", "delivered", "failed"]

HOUR = 3600.0
PAUSES = (5.0, 300.0, HOUR / 2, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
"""Seconds between the tries of a delivery, as the Standard Webhooks specification has them: ten tries in three days."""
JITTER = 0.2
"""The share by which a pause is longer or shorter by chance, so that what failed at once is not tried at once."""
LONGEST_RETRY_AFTER = 24 * HOUR
MOST_AT_ONCE = 4
"""Deliveries of one tenant that are sent at once, each to another webhook: a slow receiver holds up nobody else's."""
MAX_ERROR = 500
_TAKING = 0x1E81
"""Any number that nobody else uses for an advisory lock of this database."""


@dataclass(frozen=True)
class Delivery:
    """One event as one webhook is told it. ``response``: the status that the last try was answered with; ``error``: why
    it was no success. ``tries``: how often it was tried; ``next_try_at``: when it will be again, while it is
    ``pending``."""

    id: str
    tenant: str
    webhook_id: str
    job_id: str
    seq: int
    type: EventType
    attempt: int
    data: Mapping[str, Any]
    occurred_at: datetime
    status: DeliveryStatus
    tries: int
    tries_before: int
    next_try_at: datetime | None
    lease_until: datetime | None
    tried_at: datetime | None
    response: int | None
    error: str | None
    created_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Due:
    """A delivery that a sender has taken, and where it goes. ``sealed_secrets``: those to sign with, the newest
    first."""

    delivery: Delivery
    kind: str
    sealed_url: str
    sealed_secrets: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """The result of one try. ``error``: None where it was delivered. ``retry_after``: seconds for which the receiver
    asked to be left alone. ``gone``: it wants nothing more, ever."""

    response: int | None = None
    error: str | None = None
    retry_after: float = 0.0
    gone: bool = False


def take_due(engine: Engine, limit: int, lease_seconds: float) -> tuple[Due, ...]:
    """Take up to ``limit`` deliveries whose time has come, for ``lease_seconds``: first of the tenants of which the
    fewest are being sent, then the longest due; one a webhook, and of a tenant no more than ``MOST_AT_ONCE``. Any
    number of senders may ask; one at a time is answered, and each takes other rows."""
    with engine.begin() as connection:
        if not connection.execute(select(func.pg_try_advisory_xact_lock(_TAKING))).scalar_one():
            return ()
        values = {"limit": limit, "most": MOST_AT_ONCE}
        ids = connection.execute(text(_DUE), values).scalars().all()
        if not ids:
            return ()
        lease = {"lease_until": rows.from_now(lease_seconds), "tries": deliveries.c.tries + 1, "tried_at": func.now()}
        taken = connection.execute(
            update(deliveries).where(deliveries.c.id.in_(ids)).values(lease).returning(*deliveries.c)
        ).all()
        before = webhooks.c.secret_before_until > func.now()
        where = webhooks.c.id.in_([row.webhook_id for row in taken])
        hooks = {row.id: row for row in connection.execute(select(webhooks, before.label("both")).where(where))}
    found = [_to_due(row, hooks[row.webhook_id]) for row in taken]
    return tuple(sorted(found, key=lambda due: ids.index(due.delivery.id)))


def finish(
    engine: Engine, due: Due, outcome: Outcome, chance: Callable[[float, float], float] = random.uniform
) -> Delivery | None:
    """Write what came of a try: delivered, to be tried again after a pause, or failed. A receiver that is gone has its
    webhook disabled. ``None`` where the try does not count any more: its lease ran out and somebody else took it, or
    the webhook was deleted meanwhile."""
    delivery = due.delivery
    fence = (
        deliveries.c.id == delivery.id,
        deliveries.c.tries == delivery.tries,
        deliveries.c.status == "pending",
        deliveries.c.lease_until.is_not(None),
    )
    error = None if outcome.error is None else outcome.error[:MAX_ERROR].replace("\0", "\N{REPLACEMENT CHARACTER}")
    values: dict[str, Any] = {"response": outcome.response, "error": error, "lease_until": None}
    made = delivery.tries - delivery.tries_before
    if outcome.error is not None and not outcome.gone and made <= len(PAUSES):
        pause = PAUSES[made - 1] * chance(1 - JITTER, 1 + JITTER)
        values["next_try_at"] = rows.from_now(max(pause, min(outcome.retry_after, LONGEST_RETRY_AFTER)))
    else:
        values |= {"status": "delivered" if outcome.error is None else "failed"}
        values |= {"next_try_at": None, "ended_at": func.now()}
    with engine.begin() as connection:
        # The webhook first, as whoever disables or deletes it has it: else the two could wait for each other.
        if outcome.gone:
            disable = {"disabled_at": func.now(), "disabled_because": "gone", "updated_at": func.now()}
            live = (webhooks.c.disabled_at.is_(None), webhooks.c.deleted_at.is_(None))
            mine = exists().where(*fence)
            connection.execute(
                update(webhooks).where(webhooks.c.id == delivery.webhook_id, *live, mine).values(disable)
            )
        row = connection.execute(update(deliveries).where(*fence).values(values).returning(*deliveries.c)).one_or_none()
        if row is not None and outcome.gone:
            give_up(connection, delivery.webhook_id, "the webhook's receiver is gone")
    return None if row is None else to_delivery(row)


def give_up(connection: Connection, webhook_id: str, why: str) -> None:
    """Fail what waits to be delivered to a webhook."""
    ended = {"status": "failed", "error": why, "next_try_at": None, "lease_until": None, "ended_at": func.now()}
    waiting = (deliveries.c.webhook_id == webhook_id, deliveries.c.status == "pending")
    connection.execute(update(deliveries).where(*waiting).values(ended))


def forget(engine: Engine, older_than_seconds: float, limit: int = 10_000) -> int:
    """Delete up to ``limit`` deliveries that ended longer ago than that, and say how many; and the rows of deleted
    webhooks whose log is gone. What waits for a webhook that is disabled or deleted has failed."""
    old = (
        select(deliveries.c.id)
        .where(deliveries.c.ended_at < rows.from_now(-older_than_seconds))
        .order_by(deliveries.c.ended_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    told = exists().where(deliveries.c.webhook_id == webhooks.c.id)
    _give_up_missed(engine)
    with engine.begin() as connection:
        gone = connection.execute(delete(deliveries).where(deliveries.c.id.in_(old))).rowcount
        connection.execute(delete(webhooks).where(webhooks.c.deleted_at.is_not(None), ~told))
    return gone


def _give_up_missed(engine: Engine) -> None:
    """Fail what a trigger wrote, in a transaction that had not yet ended, while its webhook was disabled or deleted."""
    waits = exists().where(deliveries.c.webhook_id == webhooks.c.id, deliveries.c.status == "pending")
    ended = or_(webhooks.c.disabled_at.is_not(None), webhooks.c.deleted_at.is_not(None))
    with engine.begin() as connection:
        # Locked first, as whoever disables, enables or deletes one has it.
        for hook in connection.execute(select(webhooks).where(ended, waits).order_by(webhooks.c.id).with_for_update()):
            what = "disabled" if hook.deleted_at is None else "deleted"
            give_up(connection, hook.id, f"the webhook was {what}")


def undelivered(engine: Engine) -> tuple[int, float]:
    """Count what waits to be delivered, of all tenants, and say for how many seconds the oldest of it has waited."""
    age = func.extract("epoch", func.now() - func.min(deliveries.c.created_at))
    with engine.connect() as connection:
        count, oldest = connection.execute(select(func.count(), age).where(deliveries.c.status == "pending")).one()
    return int(count), float(oldest or 0.0)


class DeliveryLog:
    """The log of webhooks' deliveries, as their tenant may see it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(
        self,
        tenant: str,
        webhook_id: str,
        status: DeliveryStatus | None = None,
        limit: int = 20,
        after: str | None = None,
    ) -> Page[Delivery]:
        """Return a page of a webhook's deliveries, newest first; that there is such a webhook is the caller's to know.

        Raises:
            BadCursor: ``after`` is not the ``next`` of an earlier page.
        """
        where: tuple[ColumnElement[bool], ...] = (
            deliveries.c.tenant == tenant,
            deliveries.c.webhook_id == webhook_id,
        )
        if status is not None:
            where += (deliveries.c.status == status,)
        if after is not None:
            where += (deliveries.c.id < read_cursor("dlv", after),)
        newest = select(deliveries).where(*where).order_by(deliveries.c.id.desc()).limit(check_limit(limit) + 1)
        with wall.behind(self._engine, tenant).connect() as connection:
            found: tuple[Row[Any], ...] = tuple(connection.execute(newest))
        return page(found, limit, to_delivery)

    def redeliver(self, tenant: str, webhook_id: str, delivery_id: str, by: Actor = SERVICE) -> Delivery:
        """Have a delivery sent again now, with the id that it had and all its tries before it. One that is being sent
        at this moment is left to that.

        Raises:
            DeliveryNotFound: the webhook has none such.
            WebhookConflict: the webhook is disabled or deleted.
        """
        if not is_id("dlv", delivery_id):
            raise DeliveryNotFound(delivery_id)
        named = (
            deliveries.c.id == delivery_id,
            deliveries.c.webhook_id == webhook_id,
            deliveries.c.tenant == tenant,
        )
        live = exists().where(
            webhooks.c.id == webhook_id, webhooks.c.disabled_at.is_(None), webhooks.c.deleted_at.is_(None)
        )
        free = deliveries.c.lease_until.is_(None) | (deliveries.c.lease_until <= func.now())
        again: dict[str, Any] = {"status": "pending", "next_try_at": func.now(), "ended_at": None, "lease_until": None}
        again |= {"tries_before": deliveries.c.tries}
        with wall.behind(self._engine, tenant).begin() as connection:
            is_live = connection.execute(select(live)).scalar_one()
            if is_live:
                connection.execute(update(deliveries).where(*named, free).values(again))
            row = connection.execute(select(deliveries).where(*named)).one_or_none()
            if row is not None and is_live:
                details = {"delivery": delivery_id}
                audit.write(connection, by, Action.WEBHOOK_REDELIVER, tenant, webhook_id, details=details)
        if row is None:
            raise DeliveryNotFound(delivery_id)
        if not is_live:
            raise WebhookConflict("the webhook is disabled: enable it first")
        return to_delivery(row)


def to_delivery(row: Row[Any]) -> Delivery:
    """Read a row of ``deliveries`` as a value."""
    return Delivery(**dict(row._mapping) | {"type": EventType(row.type)})


def _to_due(row: Row[Any], hook: Row[Any]) -> Due:
    sealed = (hook.sealed_secret, hook.sealed_secret_before if hook.both else None)
    return Due(to_delivery(row), hook.kind, hook.sealed_url, tuple(secret for secret in sealed if secret is not None))


# Of each webhook that something waits for, the longest due, by an index: however much waits, it reads a row of each.
_DUE = """
    WITH RECURSIVE waiting AS (
             (SELECT webhook_id FROM deliveries WHERE status = 'pending' ORDER BY webhook_id LIMIT 1)
             UNION ALL
             SELECT (SELECT deliveries.webhook_id FROM deliveries
                      WHERE status = 'pending' AND deliveries.webhook_id > waiting.webhook_id
                      ORDER BY deliveries.webhook_id LIMIT 1)
               FROM waiting WHERE waiting.webhook_id IS NOT NULL),
         busy AS (SELECT webhook_id, tenant FROM deliveries WHERE status = 'pending' AND lease_until > now()),
         due AS (
             SELECT oldest.id, webhooks.tenant, oldest.next_try_at
               FROM waiting JOIN webhooks ON webhooks.id = waiting.webhook_id
                    CROSS JOIN LATERAL (
                        SELECT id, next_try_at FROM deliveries
                         WHERE webhook_id = webhooks.id AND status = 'pending' AND next_try_at <= now()
                         ORDER BY next_try_at, id LIMIT 1) AS oldest
              WHERE webhooks.disabled_at IS NULL AND webhooks.deleted_at IS NULL
                AND webhooks.id NOT IN (SELECT webhook_id FROM busy)),
         in_turn AS (
             SELECT id, next_try_at,
                    row_number() OVER (PARTITION BY tenant ORDER BY next_try_at, id)
                    + (SELECT count(*) FROM busy WHERE busy.tenant = due.tenant) AS turn
               FROM due)
    SELECT deliveries.id FROM deliveries JOIN in_turn USING (id)
     WHERE turn <= :most
     ORDER BY turn, in_turn.next_try_at, id
     LIMIT :limit
       FOR UPDATE OF deliveries SKIP LOCKED
"""
