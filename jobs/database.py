"""The connection to Postgres, and the schema's migrations run from code."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

import alembic.command
import orjson
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from jobs.wall import settings_of

CONNECT: Mapping[str, Any] = MappingProxyType({"connect_timeout": 5, "prepare_threshold": None})
"""Of every connection. None prepares statements on the server: behind a pooler they are not where they were made."""
MIGRATIONS = Path(__file__).resolve().parents[1] / "migrations"


def make_engine(
    url: str,
    *,
    pool_size: int = 10,
    statement_timeout_seconds: float = 30,
    lock_timeout_seconds: float = 10,
    application_name: str = "lethe",
) -> Engine:
    """Make an engine for a process with threads. Nothing waits without end: neither a connect (5 s), nor a place in the
    pool (10 s), nor a statement, nor a lock, nor a transaction whose process has stopped in the middle (60 s: a frozen
    worker must not hold a row's lock). Connects when first used, not here.

    Args:
        pool_size: connections that are kept; as many again are opened under load.
    """
    limits = {
        "timezone": "UTC",
        "statement_timeout": f"{statement_timeout_seconds * 1000:.0f}",
        "lock_timeout": f"{lock_timeout_seconds * 1000:.0f}",
        "idle_in_transaction_session_timeout": "60000",
    }
    engine = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        pool_pre_ping=True,
        pool_recycle=1800,
        json_serializer=_to_json,
        json_deserializer=orjson.loads,
        connect_args={
            **CONNECT,
            "application_name": application_name,
            # A server that vanished without a word (its machine died) is noticed within about 30 s.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 4,
            "tcp_user_timeout": 30_000,
        },
    )

    # For the transaction alone: behind a pooler the next one is another server's, and this one somebody else's. Poolers
    # also refuse them as options of the connection, where whoever wrote the URL may have some of their own.
    def set_up(connection: Connection) -> None:
        settings = {**limits, **settings_of(connection)}
        calls = ", ".join(["set_config(%s, %s, true)"] * len(settings))
        connection.exec_driver_sql(f"SELECT {calls}", tuple(chain.from_iterable(settings.items())))

    event.listen(engine, "begin", set_up)
    return engine


DATABASE_ERRORS = (DBAPIError, PoolTimeout)
"""What a call to the database raises that it is the cause of."""


def is_away(error: BaseException) -> bool:
    """Say whether ``error`` is that the database does not answer now: it is gone, overloaded, full or read-only. The
    same call may succeed later, and what became of this one is not known."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError | InternalError)
    return isinstance(error, PoolTimeout)


def migrate(url: str, revision: str = "head") -> None:
    """Bring the schema to ``revision``. Several processes may do so at once: one works, the others wait for it."""
    alembic.command.upgrade(_config(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Take the schema back to ``revision`` (``base``: nothing is left)."""
    alembic.command.downgrade(_config(url), revision)


def revision(url: str) -> str | None:
    """Return the schema's revision in the database; ``None`` for an empty one."""
    engine = create_engine(url, poolclass=NullPool, connect_args=CONNECT)
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head() -> str | None:
    """Return the revision that this code needs."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def _config(url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    # As an attribute, not an option: options are interpolated, and a password may hold a "%".
    config.attributes["url"] = url
    return config


def _to_json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
