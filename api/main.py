"""The application: what it is made of, what it starts, and in which order it stops."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from functools import partial
from importlib.metadata import version

from anyio import CapacityLimiter
from fastapi import FastAPI, Request
from starlette.middleware import Middleware
from starlette.responses import Response

from api import dashboard, description, problems
from api.auth import Authenticator
from api.brake import Brake
from api.dashboard.story import Stories
from api.feed import Feed
from api.metrics import Metrics
from api.observing import BodyLimit, Observing
from api.routes import (
    advice,
    audit,
    base_models,
    decisions,
    deletion,
    estimates,
    events,
    generators,
    health,
    jobs,
    reports,
    samples,
    schemas,
    tenant,
    webhooks,
)
from api.services import Services
from jobs import deliveries, keys, sessions, storage, wall, watching
from jobs.artifacts import ArtifactStore
from jobs.audit import AuditLog
from jobs.broker import Broker
from jobs.database import make_engine
from jobs.deliveries import DeliveryLog
from jobs.dispatcher import Dispatcher
from jobs.generators import GeneratorStore
from jobs.sealing import Sealer
from jobs.settings import Settings
from jobs.store import JobStore
from jobs.webhooks import WebhookStore
from telling.kind import Means
from telling.sender import Sender

WAITING_FOR_SAMPLES = 32
"""How many requests may wait for a sampler at once; each holds a thread of its own."""
CONNECTIONS = 10
"""Database connections that are kept; as many again are opened under load."""


def create_app(settings: Settings) -> FastAPI:
    """Make the application. Nothing is connected before it starts.

    Raises:
        SettingsError: when it starts, if no database or broker is named.
        ModelRefused: when it starts, for a base model that cannot be read.
    """
    metrics = Metrics()
    app = FastAPI(
        title="Lethe",
        version=version("lethe"),
        summary="Unlearning as a service.",
        description=description.DESCRIPTION,
        openapi_tags=description.TAGS,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,  # the framework's page loads its scripts from elsewhere; the dashboard has one of its own
        redoc_url=None,
        redirect_slashes=False,
        lifespan=partial(_lifespan, settings=settings, metrics=metrics),
        middleware=[Middleware(Observing, metrics=metrics, answer=_answer), Middleware(BodyLimit)],
    )
    problems.install(app, _answer)
    for module in (
        base_models,
        jobs,
        estimates,
        advice,
        events,
        reports,
        decisions,
        generators,
        samples,
        deletion,
        webhooks,
        tenant,
        audit,
        schemas,
        health,
    ):
        app.include_router(module.router)
    dashboard.install(app)
    description.install(app)
    return app


def _answer(request: Request, error: Exception) -> Response:
    """An error as its reader can use it: a page for people in the dashboard, a problem document for programs."""
    problem = problems.problem_of(error)
    return dashboard.error_page(request, problem) if dashboard.wants_page(request) else problem.response()


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI, settings: Settings, metrics: Metrics) -> AsyncIterator[None]:
    """Make the services; stop them in the order in which they need each other."""
    engine = make_engine(settings.require_database(), pool_size=CONNECTIONS, application_name="lethe-api")
    broker = Broker(settings.require_broker())
    walled = wall.behind(engine, wall.NOBODY)
    store = JobStore(walled)
    sealer, means = Sealer(settings.webhook_key), Means.of(settings)
    services = Services(
        settings=settings,
        models=settings.models(),
        engine=engine,
        jobs=store,
        generators=GeneratorStore(walled),
        audit=AuditLog(walled),
        artifacts=ArtifactStore(settings.artifacts_url),
        broker=broker,
        dispatcher=Dispatcher(engine, broker),
        webhooks=WebhookStore(walled),
        deliveries=DeliveryLog(walled),
        sealer=sealer,
        means=means,
        sender=Sender(engine, sealer, means, settings.public_url),
        authenticator=Authenticator(
            settings.auth == "keys",
            {"key": partial(keys.authenticate, engine), "session": partial(sessions.authenticate, engine)},
        ),
        sign_ins=Brake(),
        signer=settings.signer(),
        trusted_keys=settings.trusted_keys(),
        metrics=metrics,
        feed=Feed(partial(watching.last_seqs, engine)),
        samplers=CapacityLimiter(WAITING_FOR_SAMPLES),
        planning=CapacityLimiter(1),
        closing=asyncio.Event(),
        loop=asyncio.get_running_loop(),
        schema_seen=threading.Event(),
    )
    app.state.services = services
    app.state.stories = Stories(store)
    metrics.watch(
        JobStore(engine).counts,
        partial(watching.backlog, engine),
        partial(deliveries.undelivered, engine),
        partial(storage.usage, engine),
        broker.queue_length,
    )
    services.dispatcher.start()
    services.sender.start()
    try:
        async with services.feed.running():
            yield
    finally:
        services.sender.stop()
        services.dispatcher.stop()
        broker.close()
        engine.dispose()
