"""What the tests of client and command share: one real api for the session, and a tenant of its own for each test."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from client import Lethe
from jobs.database import make_engine
from local.services import Services
from tests.cli.service import Service, service

_tenants = itertools.count(1)


@pytest.fixture(scope="session")
def api(servers: Services, new_database: Callable[[], AbstractContextManager[str]]) -> Iterator[Service]:
    """The api, with keys asked for."""
    folder = Path(tempfile.mkdtemp(prefix="lethe-cli-"))
    with new_database() as database_url:
        engine = make_engine(database_url)
        try:
            with service(database_url, servers.valkey.url, engine, folder) as running:
                yield running
        finally:
            engine.dispose()
            shutil.rmtree(folder)


@pytest.fixture
def tenant() -> str:
    """A tenant of this test's own: its lists hold what the test has made."""
    return f"tenant-{next(_tenants)}"


@pytest.fixture
def key(api: Service, tenant: str) -> str:
    """An API key that may submit and read."""
    return api.key(tenant)


@pytest.fixture
def lethe(api: Service, key: str) -> Iterator[Lethe]:
    """A client with that key."""
    with Lethe(api.url, key) as client:
        yield client


@dataclass(frozen=True)
class Command:
    """The ``lethe`` command in this process, with the service in its environment."""

    environment: dict[str, str]

    def __call__(self, *arguments: str, **environment: str) -> Result:
        """Run it. ``stdout``, ``stderr`` and ``exit_code`` are apart in the result."""
        result = CliRunner().invoke(app, arguments, env={**self.environment, "COLUMNS": "200", **environment})
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result


@pytest.fixture
def run(api: Service, key: str) -> Command:
    """Runs ``lethe`` for this test's tenant."""
    return Command({"LETHE_URL": api.url, "LETHE_API_KEY": key})
