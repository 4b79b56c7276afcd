"""``lethe jobs``: what was submitted, newest first."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import typer

from cli.connection import client_of


def jobs(
    ctx: typer.Context,
    status: Annotated[str | None, typer.Option(help="Only jobs of this status.")] = None,
    base: Annotated[str | None, typer.Option(help="Only jobs on this base model.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Maximum number of jobs.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List jobs, newest first."""
    from cli.console import console, print_json
    from cli.tables import jobs_table

    with client_of(ctx) as lethe:
        found = list(islice(lethe.jobs(status=status, base_model=base, page_size=min(limit, 100)), limit))
    if as_json:
        for job in found:
            print_json(job.raw)
    else:
        console().print(jobs_table(found, datetime.now(UTC)))
