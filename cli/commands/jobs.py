"""``lethe jobs``: what was submitted, newest first."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import typer

from cli.arguments import parse_texts, read_time
from cli.connection import client_of


def jobs(
    ctx: typer.Context,
    status: Annotated[str | None, typer.Option(help="Only jobs of this status.")] = None,
    base: Annotated[str | None, typer.Option(help="Only jobs on this base model.")] = None,
    verdict: Annotated[str | None, typer.Option(help="Only jobs that ended with this verdict.")] = None,
    concept: Annotated[str | None, typer.Option(help="Only jobs that forget this concept.")] = None,
    ticket: Annotated[str | None, typer.Option(help="Only jobs whose case has this ticket.")] = None,
    overdue: Annotated[
        bool, typer.Option("--overdue", help="Only jobs whose case is due, and of which no generator is served.")
    ] = False,
    due_before: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only jobs whose case is due before this time, earliest first.")
    ] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Only jobs with this in their metadata: ticket=T-123."),
    ] = None,
    created_after: Annotated[
        datetime | None, typer.Option(help="Only jobs submitted at this time or later, by this machine's clock.")
    ] = None,
    created_before: Annotated[datetime | None, typer.Option(help="Only jobs submitted before this time.")] = None,
    id: Annotated[str | None, typer.Option(help="Only jobs whose id ends in this: 6 characters or more.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Maximum number of jobs.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List jobs, newest first: all, or those of which everything is so that is asked for.

    Asked for what is due, it lists the earliest due first.
    """
    metadata_wanted = parse_texts(metadata or (), "--metadata", "ticket=T-123")
    due = None if due_before is None else read_time(due_before, "--due-before")

    from cli.console import console, print_json
    from cli.tables import jobs_table

    with client_of(ctx) as lethe:
        wanted = lethe.jobs(
            status=status,
            base_model=base,
            verdict=verdict,
            concept=concept,
            ticket=ticket,
            overdue=overdue,
            due_before=None if due is None else datetime.fromisoformat(due),
            metadata=metadata_wanted,
            created_after=created_after and created_after.astimezone(),
            created_before=created_before and created_before.astimezone(),
            id=id,
            page_size=min(limit, 100),
        )
        found = list(islice(wanted, limit))
    if as_json:
        for job in found:
            print_json(job.raw)
    else:
        console().print(jobs_table(found, datetime.now(UTC)))
