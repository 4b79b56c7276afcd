"""``lethe delete``: delete a job or a generator; a signed tombstone stays."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.connection import client_of


def delete(
    ctx: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Jobs (job_...) and generators (gen_...).")],
    reason: Annotated[str, typer.Option(help="For whoever reads the tombstone: it stays there, with your key's name.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether you are sure.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Each tombstone as one line of JSON.")] = False,
) -> None:
    """Delete jobs and generators.

    A job goes with its request, events, report and generator; a generator alone leaves its job and report. Who deleted
    it, why and when stays in a signed tombstone. It cannot be undone, and takes a key with the scope admin.
    """
    from cli.console import print_json

    if wrong := [each for each in ids if not each.startswith(("job_", "gen_"))]:
        raise typer.BadParameter(f"{', '.join(wrong)}: give ids, such as job_... or gen_...", param_hint="ID")
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("nobody is there to ask: say that you are sure", param_hint="--yes")
        typer.confirm(f"Delete {', '.join(ids)}? It cannot be undone", abort=True, err=True)
    with client_of(ctx) as lethe:
        for each in ids:
            tombstone = (lethe.delete_job if each.startswith("job_") else lethe.delete_generator)(each, reason)
            if as_json:
                print_json(tombstone.raw)
            else:
                typer.echo(f"{tombstone.deleted}: deleted at {tombstone.at:%Y-%m-%d %H:%M:%S %Z} by {tombstone.by}")
