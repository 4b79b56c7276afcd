"""``lethe decision``: what became of a request for removal, for people who are not engineers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.connection import client_of


def decision(
    ctx: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="JOB")],
    html: Annotated[Path | None, typer.Option(help="Write the page, for one sheet of paper, to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The decision as one line of JSON.")] = False,
) -> None:
    """Show what became of the request that a job answers.

    What was asked and when, what was measured in plain words, what follows, and the digest of the record. There is one
    once the job is over, however it ended.
    """
    from cli.console import console, print_json, say
    from cli.tables import decision_lines

    with client_of(ctx) as lethe:
        found = lethe.decision(job_id)
        if html is not None:
            html.write_text(lethe.decision_html(job_id), "utf-8")
            typer.echo(f"wrote {html}", err=True)
    if as_json:
        print_json(found.raw)
        return
    out = console()
    for line in decision_lines(found):
        say(out, line)
