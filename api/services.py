"""What the routes work with, made once when the application starts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from anyio import CapacityLimiter
from fastapi import Depends, Request
from securesystemslib.signer import CryptoSigner, SSlibKey
from sqlalchemy import Engine

from api.auth import Authenticator
from api.brake import Brake
from api.feed import Feed
from api.metrics import Metrics
from jobs.artifacts import ArtifactStore
from jobs.audit import AuditLog
from jobs.base_models import BaseModels
from jobs.broker import Broker
from jobs.dispatcher import Dispatcher
from jobs.generators import GeneratorStore
from jobs.settings import Settings
from jobs.store import JobStore


@dataclass(frozen=True)
class Services:
    """Stores, connections and settings. ``closing`` is set when the server is asked to stop: streams end then.

    ``engine`` sees everything, as keys, metrics and the outbox are of all tenants; ``jobs``, ``generators`` and
    ``audit`` stand behind the wall (``jobs.wall``): a call that forgets its tenant finds nothing.
    ``signer`` signs the record of a generator that is released; ``None``: such a record is unsigned.
    ``trusted_keys``: of the records that may be released, the signer's own and retired ones.
    ``samplers`` bounds how many requests wait for a sampler, in threads apart from those that answer everything else.
    ``sign_ins``: the brake on keys that are guessed at the dashboard's sign-in.
    ``planning`` lets one submission at a time be planned, which may take a second: all at once they would take the
    processor from every other request.
    ``schema_seen`` is set once the database was found to have this version's schema.
    """

    settings: Settings
    models: BaseModels
    engine: Engine
    jobs: JobStore
    generators: GeneratorStore
    audit: AuditLog
    artifacts: ArtifactStore
    broker: Broker
    dispatcher: Dispatcher
    authenticator: Authenticator
    sign_ins: Brake
    signer: CryptoSigner | None
    trusted_keys: Sequence[SSlibKey]
    metrics: Metrics
    feed: Feed
    samplers: CapacityLimiter
    planning: CapacityLimiter
    closing: asyncio.Event
    loop: asyncio.AbstractEventLoop
    schema_seen: threading.Event

    def close_streams(self) -> None:
        """End every open event stream: the server is about to stop. Called in ``loop``."""
        self.closing.set()
        self.feed.wake()


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Use = Annotated[Services, Depends(_services)]
