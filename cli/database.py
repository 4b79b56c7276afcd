"""The database for commands that work on it without the service: keys are made before anybody can ask for one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Engine


@contextlib.contextmanager
def database(data_dir: Path | None) -> Iterator[Engine]:
    """Yield an engine on ``LETHE_DATABASE_URL`` or, without it, on the embedded Postgres in the data folder, which is
    joined if `lethe up` runs there and started for as long as this needs it if not.

    Raises:
        SettingsError: for wrong settings, or a schema that is not the one that this version needs.
    """
    from jobs.database import head, make_engine, migrate, revision
    from jobs.settings import SettingsError, load_settings

    settings = load_settings({} if data_dir is None else {"data_dir": data_dir})
    with contextlib.ExitStack() as exits:
        url = settings.database_url
        if url is None:
            from local.services import some_services

            (postgres,) = exits.enter_context(some_services(settings.data_dir, ("postgres",)))
            url = postgres.url
            migrate(url)
        elif (found := revision(url)) != (needed := head()):
            raise SettingsError(f"the database's schema is {found or 'empty'}, not {needed}: run `lethe migrate`")
        engine = make_engine(url, pool_size=1, application_name="lethe-cli")
        exits.callback(engine.dispose)
        yield engine
