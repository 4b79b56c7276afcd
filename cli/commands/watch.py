"""``lethe watch``: a job as it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from cli.connection import client_of

if TYPE_CHECKING:
    from rich.console import Console

    from client import Job, Lethe

INTERRUPTED = 130
"""As shells have it for a command that Ctrl-C ended."""


def watch(
    ctx: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="JOB")],
    as_json: Annotated[bool, typer.Option("--json", help="The job at its end as one line of JSON.")] = False,
) -> None:
    """Watch a job until it is over.

    Exit status: 0 if the verdict is pass, 1 if it is not or the job failed. Ctrl-C leaves the job running.
    """
    from cli.console import console

    with client_of(ctx) as lethe:
        job = follow_or_leave(lethe, job_id, console(stderr=as_json))
    finish(job, as_json=as_json)


def follow_or_leave(lethe: Lethe, job_id: str, console: Console) -> Job:
    """Follow the job to its end; on Ctrl-C leave it running, and say so."""
    from cli.job_watch import follow

    try:
        return follow(lethe, job_id, console)
    except KeyboardInterrupt:
        typer.echo(f"\nthe job goes on: lethe watch {job_id}, or lethe cancel {job_id}", err=True)
        raise typer.Exit(INTERRUPTED) from None


def finish(job: Job, *, as_json: bool) -> NoReturn:
    """Say how the job ended, and end with the exit status that means it."""
    from cli.console import print_json
    from cli.job_watch import ending, exit_status

    if as_json:
        print_json(job.raw)
    status = exit_status(job)
    typer.echo(ending(job), err=as_json or status != 0)
    raise typer.Exit(status)
