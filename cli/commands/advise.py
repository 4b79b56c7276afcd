"""``lethe advise``: what to try after a job that did not pass."""

from __future__ import annotations

import json
import shlex
from typing import Annotated

import typer

from cli.connection import client_of


def advise(
    ctx: typer.Context,
    job_id: Annotated[str, typer.Argument(metavar="JOB")],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line; `request` can be submitted.")
    ] = False,
) -> None:
    """Say what to try after a job that did not pass: why, and the changed request."""
    from cli.console import print_json

    with client_of(ctx) as lethe:
        found = lethe.advice(job_id)
    if as_json:
        for each in found:
            print_json(each.raw)
        return
    if not found:
        typer.echo(f"{job_id}: nothing to change that is known to help")
    for number, each in enumerate(found, 1):
        typer.echo(f"{number}. {each.why}")
        changes = shlex.quote(json.dumps(each.change, ensure_ascii=False))
        typer.echo(f"   lethe submit --like {job_id} --change {changes}")
