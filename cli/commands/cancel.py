"""``lethe cancel``: stop a job."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.connection import client_of


def cancel(ctx: typer.Context, job_id: Annotated[str, typer.Argument(metavar="JOB")]) -> None:
    """Stop a job.

    At once if it waits, within seconds if it runs; nothing of it is published.
    """
    with client_of(ctx) as lethe:
        job = lethe.cancel(job_id)
    typer.echo(f"{job.id}: {job.status}")
