"""The real service for tests over HTTP: uvicorn on a loopback port, in a thread, on a database of its own."""

from __future__ import annotations

import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import structlog
from fastapi import FastAPI
from sqlalchemy import Engine

from api.__main__ import make_server
from api.connections import PATIENCE, Patience
from api.main import create_app
from jobs.artifacts import ArtifactStore
from jobs.database import make_engine
from jobs.settings import Settings
from jobs.store import JobStore
from sfd_core.base_model.manifest import digest_of
from tests.support.waiting import wait_for

# The access log of a thread would run into the tests' own output.
structlog.configure(
    wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
    processors=[structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)],
)

CONCEPTS = ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot")


@dataclass(frozen=True)
class Service:
    """A service that answers at ``url``, and what it stands on."""

    url: str
    settings: Settings
    engine: Engine
    store: JobStore
    artifacts: ArtifactStore
    app: FastAPI
    http: httpx.Client

    def count(self, table: str) -> int:
        """How many rows a table has."""
        with self.engine.connect() as connection:
            return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())


@contextmanager
def serving(settings: Settings, patience: Patience = PATIENCE) -> Iterator[Service]:
    """Serve ``settings`` at a free port until the context ends; then stop as ``python -m api`` does."""
    app = create_app(settings)
    server = make_server(app, "127.0.0.1", 0, settings.trusted_proxies, patience)
    thread = threading.Thread(target=server.run, name="api", daemon=True)
    thread.start()
    engine = make_engine(settings.require_database(), pool_size=5)
    try:
        wait_for(lambda: server.started or not thread.is_alive())
        assert server.started, "the service does not start"
        host, port = server.servers[0].sockets[0].getsockname()[:2]
        url = f"http://{host}:{port}"
        with httpx.Client(base_url=url, timeout=30) as http:
            yield Service(url, settings, engine, JobStore(engine), ArtifactStore(settings.artifacts_url), app, http)
    finally:
        server.handle_exit(signal.SIGTERM, None)
        thread.join(20)
        engine.dispose()
    assert not thread.is_alive(), "the service does not stop"


@contextmanager
def serving_process(settings: Settings, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """``python -m api`` as it is run in production, with JSON lines in ``log``, and its URL; killed at the end."""
    environment = settings.model_copy(update={"port": 0}).environment()
    with log.open("wb") as stream:
        started = subprocess.Popen(
            [sys.executable, "-m", "api"], env={**os.environ, **environment, "LETHE_LOG_FORMAT": "json"}, stderr=stream
        )

    def url() -> re.Match[str] | None:
        assert started.poll() is None, log.read_text()
        return re.search(r"http://127\.0\.0\.1:\d+", log.read_text())

    try:
        yield started, wait_for(url, 30)[0]
    finally:
        started.kill()
        started.wait()


def write_manifest(folder: Path, name: str = "fashion", concepts: tuple[str, ...] = CONCEPTS) -> None:
    """A base model as far as the api reads it: its manifest. No weights: nothing here trains."""
    model = folder / name
    model.mkdir(parents=True)
    judge = {"judge/model.safetensors": "a" * 64}
    manifest: dict[str, Any] = {
        "schema_version": 1,
        "name": name,
        "title": f"{name.capitalize()}, 28 x 28",
        "family": "class_unet",
        "license": "MIT",
        "data": "real images",
        "concepts": list(concepts),
        "image": {"channels": 1, "height": 28, "width": 28, "patch": 2},
        "judge": {
            "name": "a classifier",
            "folder": "judge",
            "accuracy": 0.93,
            "accuracy_images": 10_000,
            "by_concept": [0.93] * len(concepts),
            "digest": digest_of(judge),
        },
        "reference": "reference.safetensors",
        "teacher": {"accuracy": 0.92, "by_concept": [0.92] * len(concepts)},
        "files": {"unet/model.safetensors": "b" * 64, "reference.safetensors": "c" * 64, **judge},
    }
    (model / "manifest.json").write_text(json.dumps(manifest))
