"""What the tests of telling share: a sealer, means that reach this machine, a sender that is not started, webhooks."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, update

from jobs import deliveries, schema
from jobs.deliveries import Delivery, DeliveryLog
from jobs.job import Job
from jobs.sealing import Sealer
from jobs.store import JobStore
from jobs.webhooks import NewWebhook, Webhook, WebhookStore, named_events
from telling.addresses import Guard
from telling.kind import Means
from telling.kinds import KINDS
from telling.posting import Posting
from telling.sender import Sender
from tests.store.making import created

SECRETS = ("whsec_MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=", "whsec_MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=")


@pytest.fixture
def store(engine: Engine) -> JobStore:
    return JobStore(engine)


@pytest.fixture
def hooks(engine: Engine) -> WebhookStore:
    return WebhookStore(engine)


@pytest.fixture
def log(engine: Engine) -> DeliveryLog:
    return DeliveryLog(engine)


@pytest.fixture
def sealer(tmp_path: Path) -> Sealer:
    return Sealer(tmp_path / "webhook.key")


@pytest.fixture
def means() -> Means:
    return Means(Posting(Guard(("127.0.0.1",)), ssl.create_default_context(), seconds=5))


@pytest.fixture
def sender(engine: Engine, sealer: Sealer, means: Means) -> Sender:
    """A sender whose rounds a test makes itself."""
    return Sender(engine, sealer, means)


@pytest.fixture
def new(sealer: Sealer) -> Callable[..., NewWebhook]:
    """Makes a webhook as the api does: ``new(url, "job.failed")``."""

    def make(url: str, *events: str, kind: str = "webhook") -> NewWebhook:
        secret = sealer.seal(SECRETS[0]) if KINDS[kind].signs else None
        return NewWebhook(kind, url, sealer.seal(url), secret, named_events(events))

    return make


@pytest.fixture
def hook(hooks: WebhookStore, new: Callable[..., NewWebhook]) -> Callable[..., Webhook]:
    """Stores one, of the tenant ``acme``."""
    return lambda *arguments, **named: hooks.create("acme", new(*arguments, **named))


def ended(store: JobStore, tenant: str = "acme") -> Job:
    """A job that has ended."""
    return store.request_cancel(created(store, tenant).id)


def tried(sender: Sender, engine: Engine) -> list[Delivery]:
    """Send all that is due, one after the other, as a sender does; what became of each."""
    done: list[Delivery] = []
    while taken := deliveries.take_due(engine, 8, 60):
        results = [deliveries.finish(engine, due, sender.attempt(due)) for due in taken]
        done += [each for each in results if each is not None]
    return done


def make_due(engine: Engine) -> None:
    """Let every pause be over."""
    pending = schema.deliveries.c.status == "pending"
    with engine.begin() as connection:
        connection.execute(update(schema.deliveries).where(pending).values(next_try_at=func.now()))
