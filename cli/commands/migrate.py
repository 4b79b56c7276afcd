"""``lethe migrate``: the database's schema brought to this version."""

from __future__ import annotations

import typer


def migrate() -> None:
    """Bring the database's schema to this version.

    The database is LETHE_DATABASE_URL; `lethe up` does this by itself.
    """
    from jobs import database
    from jobs.settings import load_settings

    url = load_settings().require_database()
    before = database.revision(url)
    database.migrate(url)
    after = database.revision(url)
    typer.echo(f"the schema is at {after} already" if before == after else f"{before or 'empty'} -> {after}")
