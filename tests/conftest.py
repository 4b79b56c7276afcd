"""What tests of every part share: real Postgres and Valkey for the session, and a fresh database for each test."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest
import redis
from sqlalchemy import Engine, make_url

from benchmarks.faults.runner import FIGURE
from jobs.database import make_engine, migrate
from jobs.schema import metadata
from jobs.urls import redis_url
from local.services import Services, services
from processes.forking import ForkServer

_numbers = itertools.count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="inject faults as often and for as long as make faults does")


@pytest.fixture
def full(request: pytest.FixtureRequest) -> bool:
    """Whether faults are injected at their full figures; else a few times, for seconds."""
    return bool(request.config.getoption("--full"))


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Notes what a fault test measured, for the table of ``benchmarks.faults``."""
    return lambda said: record_property(FIGURE, said)


@pytest.fixture(scope="session")
def forks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """Forks training processes, as a worker's own server does: what they import is imported once for all tests."""
    from worker.child import fork_server

    made = fork_server(tmp_path_factory.mktemp("forks"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def servers() -> Iterator[Services]:
    """Postgres and Valkey in a temporary folder; both are stopped and the folder is gone when the session ends."""
    root = Path(tempfile.mkdtemp(prefix="lethe-tests-", dir="/tmp"))
    try:
        # Postgres runs as another user where the tests run as root, and must get to its folder.
        root.chmod(0o711)
        with services(root) as running:
            with _admin(running) as connection:
                # Nothing here has to outlive a power cut, and a database a test would mean a great many disk syncs.
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("SELECT pg_reload_conf()")
            yield running
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def new_database(servers: Services) -> Callable[[], AbstractContextManager[str]]:
    """Gives a migrated, empty database, for as long as its context lasts: ``with new_database() as url``.

    To make one takes a tenth of a second of disk work, to empty one a few milliseconds: so they are used again.
    """
    free: list[str] = []

    @contextmanager
    def take() -> Iterator[str]:
        if free:
            url = free.pop()
        else:
            url = _create(servers, f"test_{next(_numbers)}")
            migrate(url)
            _empty(servers, url)  # of the tenant that a new one has, as one that is used again has none
        yield url
        _empty(servers, url)
        free.append(url)

    return take


@pytest.fixture
def database_url(new_database: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    """A migrated, empty database of this test's own."""
    with new_database() as url:
        yield url


@pytest.fixture
def empty_database_url(servers: Services) -> Iterator[str]:
    """A database of this test's own with nothing in it, not even the tables."""
    name = f"test_{next(_numbers)}"
    yield _create(servers, name)
    _drop(servers, name)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on ``database_url``."""
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def away(servers: Services, database_url: str) -> Callable[[], AbstractContextManager[None]]:
    """Takes the test's own database away for as long as a context lasts: whoever is connected is sent away, and whoever
    comes is refused. Others on the same server notice nothing."""

    @contextmanager
    def gone() -> Iterator[None]:
        name = make_url(database_url).database
        with _admin(servers) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            try:
                yield
            finally:
                connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    return gone


@pytest.fixture
def broker_url(servers: Services) -> str:
    """A broker with nothing in it."""
    # Valkey has 16 databases: a straggler of the test before cannot reach into this one's.
    url = servers.valkey.url.replace("virtual_host=0", f"virtual_host={next(_numbers) % 15 + 1}")
    with redis.Redis.from_url(redis_url(url)) as client:
        client.flushdb()
    return url


def _create(servers: Services, name: str) -> str:
    with _admin(servers) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return make_url(servers.postgres.url).set(database=name).render_as_string(hide_password=False)


def _empty(servers: Services, url: str) -> None:
    """Send away whoever is still connected, and delete every row."""
    name = make_url(url).database
    with _admin(servers) as connection:
        connection.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])
    with _admin(servers, name) as connection:
        # The one way to lift it, as docs/audit.md says.
        connection.execute("ALTER TABLE audit_log DISABLE TRIGGER audit_log_is_append_only")
        for table in reversed(metadata.sorted_tables):
            connection.execute(f"DELETE FROM {table.name}")
        connection.execute("ALTER TABLE audit_log ENABLE ALWAYS TRIGGER audit_log_is_append_only")


def _drop(servers: Services, name: str) -> None:
    with _admin(servers) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _admin(servers: Services, database: str | None = None) -> psycopg.Connection[tuple[object, ...]]:
    url = make_url(servers.postgres.url)
    return psycopg.connect(
        host=str(url.query["host"]),
        user=url.username,
        dbname=database or url.database,
        autocommit=True,
        connect_timeout=5,
    )
