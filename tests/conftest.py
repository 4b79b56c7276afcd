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

from jobs.broker import redis_url
from jobs.database import make_engine, migrate
from local.services import Services, services

TEMPLATE = "lethe_template"

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def servers() -> Iterator[Services]:
    """Postgres and Valkey in a temporary folder; both are stopped and the folder is gone when the session ends."""
    root = Path(tempfile.mkdtemp(prefix="lethe-tests-", dir="/tmp"))
    try:
        # Postgres runs as another user where the tests run as root, and must get to its folder.
        root.chmod(0o711)
        with services(root) as running:
            yield running
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def new_database(servers: Services) -> Callable[[], AbstractContextManager[str]]:
    """Makes a migrated, empty database, for as long as its context lasts: ``with new_database() as url``. It is a
    copy of one that was migrated once, which takes a small part of a second."""
    migrate(_create(servers, TEMPLATE))

    @contextmanager
    def make() -> Iterator[str]:
        name = f"test_{next(_numbers)}"
        url = _create(servers, name, f"TEMPLATE {TEMPLATE}")
        try:
            yield url
        finally:
            _drop(servers, name)

    return make


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
def broker_url(servers: Services) -> str:
    """A broker with nothing in it."""
    # Valkey has 16 databases: a straggler of the test before cannot reach into this one's.
    url = servers.valkey.url.replace("virtual_host=0", f"virtual_host={next(_numbers) % 15 + 1}")
    with redis.Redis.from_url(redis_url(url)) as client:
        client.flushdb()
    return url


def _create(servers: Services, name: str, options: str = "") -> str:
    with _admin(servers) as connection:
        connection.execute(f"CREATE DATABASE {name} {options}")
    return make_url(servers.postgres.url).set(database=name).render_as_string(hide_password=False)


def _drop(servers: Services, name: str) -> None:
    with _admin(servers) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _admin(servers: Services) -> psycopg.Connection[tuple[object, ...]]:
    url = make_url(servers.postgres.url)
    return psycopg.connect(
        host=str(url.query["host"]), user=url.username, dbname=url.database, autocommit=True, connect_timeout=5
    )
