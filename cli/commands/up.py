"""``lethe up``: the whole service on this machine, to stay."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def up(
    port: Annotated[
        int | None,
        typer.Option(envvar="LETHE_PORT", min=0, max=65535, help="0: any that is free. By default 8321."),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option(envvar="LETHE_DATA_DIR", help="Where everything is kept. By default .lethe in this folder."),
    ] = None,
) -> None:
    """Run the service on this machine, until Ctrl-C or SIGTERM.

    It is Postgres and Valkey (unless LETHE_DATABASE_URL and LETHE_BROKER_URL name others), api, worker and sampler.
    """
    from jobs.settings import load_settings
    from local.stack import Stack, serve

    def ready(stack: Stack) -> None:
        typer.echo(f"Lethe is at {stack.url} (data in {stack.data_dir}). Ctrl-C stops it.")

    given = {"port": port, "data_dir": data_dir}
    settings = load_settings({name: value for name, value in given.items() if value is not None})
    serve(settings, say=lambda line: typer.echo(line, err=True), ready=ready)
