"""Webhooks: who is told of what becomes of jobs, of all of a tenant's or of one. Which events are told is written by a
trigger (``jobs.deliveries``); what is here are the addresses. URLs and secrets are sealed before they come here
(``jobs.sealing``).

A webhook that is deleted stays as a row without URL and secret until the reaper has collected its log: nothing that a
request does deletes rows (``jobs.wall``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Engine, Row, func, insert, select, update

from jobs import audit, deliveries, rows, wall
from jobs.audit import SERVICE, Action, Actor
from jobs.errors import WebhookConflict, WebhookNotFound
from jobs.ids import is_id, new_id
from jobs.paging import Page, check_limit, page, read_cursor
from jobs.schema import webhooks
from jobs.states import EventType

TOLD = (EventType.STARTED, EventType.SUCCEEDED, EventType.FAILED, EventType.CANCELLED)
"""The events that webhooks can ask for."""
ENDS = (EventType.SUCCEEDED, EventType.FAILED, EventType.CANCELLED)
"""What a webhook is told that asks for nothing else."""
FINISHED = "job.finished"
"""A short word for all of ``ENDS``."""
MOST_WEBHOOKS = 20
"""Of a tenant, beside those of single jobs."""
MOST_OVERLAP = timedelta(days=30)

DisabledBecause = Literal["asked", "gone"]


@dataclass(frozen=True)
class NewWebhook:
    """A webhook as it is written. ``shown_url``: its URL, without what must not be shown; ``sealed_secret``: None of a
    kind that signs nothing."""

    kind: str
    shown_url: str
    sealed_url: str
    sealed_secret: str | None
    events: Sequence[EventType]
    description: str = ""


@dataclass(frozen=True)
class Webhook:
    """A webhook as it may be shown. ``job_id``: the one job that it is told of; None: of every job of the tenant.
    ``disabled_because``: ``asked``, or ``gone`` where its receiver answered 410. ``secret_before_until``: until then
    deliveries are signed with the secret before too."""

    id: str
    tenant: str
    job_id: str | None
    kind: str
    shown_url: str
    signs: bool
    events: tuple[EventType, ...]
    description: str
    created_at: datetime
    updated_at: datetime
    disabled_at: datetime | None
    disabled_because: DisabledBecause | None
    secret_before_until: datetime | None


@dataclass(frozen=True)
class Change:
    """A change of a webhook. None: that stays. ``shown_url`` and ``sealed_url`` go together."""

    shown_url: str | None = None
    sealed_url: str | None = None
    events: Sequence[EventType] | None = None
    description: str | None = None
    disabled: bool | None = None


def named_events(names: Iterable[str]) -> tuple[EventType, ...]:
    """Read names of events, each once and in the order of ``TOLD``; none: the ends of jobs.

    Raises:
        ValueError: for one that webhooks are not told.
    """
    asked = set(names) or {FINISHED}
    if unknown := sorted(asked - {FINISHED, *TOLD}):
        raise ValueError(f"unknown event {unknown[0]!r}; known: {', '.join([FINISHED, *TOLD])}")
    return tuple(event for event in TOLD if event in asked or (event in ENDS and FINISHED in asked))


class WebhookStore:
    """Webhooks in Postgres. Every method knows one tenant's alone: its queries say so, and Postgres sees to it. What
    changes one writes into the audit log, by whom (``by``)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create(self, tenant: str, new: NewWebhook, by: Actor = SERVICE) -> Webhook:
        """Write a webhook that is told of every job of the tenant.

        Raises:
            WebhookConflict: the tenant has ``MOST_WEBHOOKS`` already.
        """
        with self._of(tenant).begin() as connection:
            there = select(func.count()).where(*_live(tenant), webhooks.c.job_id.is_(None))
            if connection.execute(there).scalar_one() >= MOST_WEBHOOKS:
                raise WebhookConflict(f"a tenant has at most {MOST_WEBHOOKS} webhooks: delete one that is not used")
            return insert_new(connection, by, new_id("hook"), tenant, None, new)

    def get(self, tenant: str, webhook_id: str) -> Webhook:
        """Return one webhook.

        Raises:
            WebhookNotFound: there is none, it was deleted, or it is another tenant's.
        """
        with self._of(tenant).connect() as connection:
            row = connection.execute(select(webhooks).where(*_named(tenant, webhook_id))).one_or_none()
        if row is None:
            raise WebhookNotFound(webhook_id)
        return _to_webhook(row)

    def list(self, tenant: str, job_id: str | None = None, limit: int = 20, after: str | None = None) -> Page[Webhook]:
        """Return a page of the tenant's webhooks, newest first: those that are told of every job, or ``job_id``'s own.

        Raises:
            BadCursor: ``after`` is not the ``next`` of an earlier page.
        """
        where = (*_live(tenant), webhooks.c.job_id.is_(None) if job_id is None else webhooks.c.job_id == job_id)
        if after is not None:
            where += (webhooks.c.id < read_cursor("hook", after),)
        newest = select(webhooks).where(*where).order_by(webhooks.c.id.desc()).limit(check_limit(limit) + 1)
        with self._of(tenant).connect() as connection:
            found: tuple[Row[Any], ...] = tuple(connection.execute(newest))
        return page(found, limit, _to_webhook)

    def update(self, tenant: str, webhook_id: str, change: Change, by: Actor = SERVICE) -> Webhook:
        """Change a webhook, effective with the next try. One that is disabled is told nothing: what waits has failed,
        and what happens meanwhile is not told later.

        Raises:
            WebhookNotFound: there is none, it was deleted, or it is another tenant's.
        """
        values: dict[str, Any] = {"updated_at": func.now()}
        for name in ("shown_url", "sealed_url", "description"):
            if (value := getattr(change, name)) is not None:
                values[name] = value
        if change.events is not None:
            values["events"] = [str(event) for event in change.events]
        if change.disabled is not None:
            values |= {"disabled_at": func.now() if change.disabled else None}
            values |= {"disabled_because": "asked" if change.disabled else None}
        with self._of(tenant).begin() as connection:
            changed = _update(connection, tenant, webhook_id, values)
            if change.disabled:
                deliveries.give_up(connection, webhook_id, "the webhook was disabled")
            _tell(connection, by, Action.WEBHOOK_UPDATE, changed)
        return changed

    def rotate(
        self, tenant: str, webhook_id: str, sealed_secret: str, overlap: timedelta, by: Actor = SERVICE
    ) -> Webhook:
        """Replace the secret. For ``overlap`` deliveries are signed with both, so that receivers can change theirs.

        Raises:
            WebhookNotFound: there is none, it was deleted, or it is another tenant's.
            WebhookConflict: its kind signs nothing.
        """
        kept = {
            "sealed_secret_before": webhooks.c.sealed_secret if overlap else None,
            "secret_before_until": rows.from_now(overlap.total_seconds()) if overlap else None,
        }
        with self._of(tenant).begin() as connection:
            values = {"sealed_secret": sealed_secret, **kept, "updated_at": func.now()}
            changed = _update(connection, tenant, webhook_id, values, webhooks.c.sealed_secret.is_not(None))
            _tell(connection, by, Action.WEBHOOK_ROTATE, changed)
        return changed

    def delete(self, tenant: str, webhook_id: str, by: Actor = SERVICE) -> None:
        """Delete a webhook. What was not delivered will not be.

        Raises:
            WebhookNotFound: there is none, it was deleted before, or it is another tenant's.
        """
        gone = dict.fromkeys(("sealed_url", "sealed_secret", "sealed_secret_before", "secret_before_until"))
        with self._of(tenant).begin() as connection:
            row = {**gone, "deleted_at": func.now(), "updated_at": func.now()}
            deleted = _update(connection, tenant, webhook_id, row)
            deliveries.give_up(connection, webhook_id, "the webhook was deleted")
            _tell(connection, by, Action.WEBHOOK_DELETE, deleted)

    def _of(self, tenant: str) -> Engine:
        return wall.behind(self._engine, tenant)


def insert_new(
    connection: Connection, by: Actor, webhook_id: str, tenant: str, job_id: str | None, new: NewWebhook
) -> Webhook:
    """Write a webhook of ``tenant`` in a transaction of the caller's, of one job or of all, and into the audit log."""
    values = {
        "id": webhook_id,
        "tenant": tenant,
        "job_id": job_id,
        "kind": new.kind,
        "shown_url": new.shown_url,
        "sealed_url": new.sealed_url,
        "sealed_secret": new.sealed_secret,
        "events": [str(event) for event in new.events],
        "description": new.description,
    }
    made = _to_webhook(connection.execute(insert(webhooks).values(values).returning(*webhooks.c)).one())
    _tell(connection, by, Action.WEBHOOK_CREATE, made)
    return made


def _tell(connection: Connection, by: Actor, action: Action, webhook: Webhook) -> None:
    """Tell the audit log what a webhook is now; its URL as it is shown."""
    details = {"kind": webhook.kind, "url": webhook.shown_url, "events": ", ".join(webhook.events)}
    digest = None if action is Action.WEBHOOK_DELETE else audit.digest(details)
    audit.write(connection, by, action, webhook.tenant, webhook.id, after=digest, details=details)


def as_shown(webhook_id: str, new: NewWebhook) -> dict[str, Any]:
    """Return what a job says of its own webhook."""
    return {"id": webhook_id, "url": new.shown_url, "events": [str(event) for event in new.events]}


def _update(
    connection: Connection, tenant: str, webhook_id: str, values: dict[str, Any], *where: ColumnElement[bool]
) -> Webhook:
    named = _named(tenant, webhook_id)
    query = update(webhooks).where(*named, *where).values(values).returning(*webhooks.c)
    row = connection.execute(query).one_or_none()
    if row is not None:
        return _to_webhook(row)
    if connection.execute(select(webhooks.c.id).where(*named)).one_or_none() is None:
        raise WebhookNotFound(webhook_id)
    raise WebhookConflict("a webhook of this kind signs nothing, and has no secret to rotate")


def _live(tenant: str) -> tuple[ColumnElement[bool], ...]:
    return (webhooks.c.tenant == tenant, webhooks.c.deleted_at.is_(None))


def _named(tenant: str, webhook_id: str) -> tuple[ColumnElement[bool], ...]:
    if not is_id("hook", webhook_id):
        raise WebhookNotFound(webhook_id)
    return (webhooks.c.id == webhook_id, *_live(tenant))


def _to_webhook(row: Row[Any]) -> Webhook:
    return Webhook(
        row.id,
        row.tenant,
        row.job_id,
        row.kind,
        row.shown_url,
        row.sealed_secret is not None,
        tuple(EventType(event) for event in row.events),
        row.description,
        row.created_at,
        row.updated_at,
        row.disabled_at,
        row.disabled_because,
        row.secret_before_until,
    )
