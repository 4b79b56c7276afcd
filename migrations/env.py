"""What Alembic runs around the revisions: one connection, one transaction, one process at a time."""

from __future__ import annotations

import random
import time

from alembic import context
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

from jobs.database import CONNECT
from jobs.schema import metadata
from jobs.settings import load_settings

# Any number that nobody else uses for an advisory lock of this database.
LOCK = 0x1E7E


LOCK_TIMEOUT = "500ms"
"""What a migration waits for a table that the version at work uses. Less than ``deadlock_timeout`` (1 s): where the two
hold what the other needs, it is the migration that gives way, and never a job's transaction that is ended."""
TRIES = 60
PAUSE_SECONDS = 0.5
"""Between two tries, on average: time in which the version at work gets everything that it waits for."""


def run() -> None:
    """Migrate the database that the caller named, else the one of the settings. All revisions or none; where the
    version at work holds what is needed, again a little later."""
    url = context.config.attributes.get("url") or load_settings().require_database()
    engine = create_engine(url, poolclass=NullPool, connect_args=CONNECT)
    for left in reversed(range(TRIES)):
        try:
            return _run(engine)
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable | DeadlockDetected) or left == 0:
                raise
        time.sleep(random.uniform(0, 2 * PAUSE_SECONDS))


def _run(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        context.configure(connection=connection, target_metadata=metadata)
        context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("give a database: this history is not written as SQL for another hand to run")
run()
