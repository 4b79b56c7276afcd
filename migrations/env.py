"""What Alembic runs around the revisions: one connection, one transaction, one process at a time."""

from __future__ import annotations

from alembic import context
from sqlalchemy import NullPool, create_engine, text

from jobs.database import CONNECT
from jobs.schema import metadata
from jobs.settings import load_settings

# Any number that nobody else uses for an advisory lock of this database.
LOCK = 0x1E7E


def run() -> None:
    """Migrate the database that the caller named, else the one of the settings. All revisions or none."""
    url = context.config.attributes.get("url") or load_settings().require_database()
    engine = create_engine(url, poolclass=NullPool, connect_args=CONNECT)
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        context.configure(connection=connection, target_metadata=metadata)
        context.run_migrations()


if context.is_offline_mode():
    raise SystemExit("give a database: this history is not written as SQL for another hand to run")
run()
