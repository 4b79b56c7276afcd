"""``lethe report``: what the evaluation of a job found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.connection import client_of


def report(
    ctx: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="JOB")],
    html: Annotated[Path | None, typer.Option(help="Write the page, which stands alone, to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole report as one line of JSON.")] = False,
) -> None:
    """Show the report of a job.

    The verdict with its reasons, and the figures beside the base model's.
    """
    from cli.console import console, print_json, say
    from cli.tables import reasons, report_table

    with client_of(ctx) as lethe:
        found = lethe.report(job_id)
        if html is not None:
            html.write_text(lethe.report_html(job_id), "utf-8")
            typer.echo(f"wrote {html}", err=True)
    if as_json:
        print_json(found.raw)
        return
    out = console()
    out.print(report_table(found))
    for reason in reasons(found):
        say(out, reason)
