"""``lethe release``: serve a withheld generator."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.connection import client_of


def release(
    ctx: typer.Context,
    generator_id: Annotated[str, typer.Argument(metavar="GENERATOR")],
    reason: Annotated[str, typer.Option(help="For whoever reads the record: it goes into it, with your key's name.")],
    as_json: Annotated[bool, typer.Option("--json", help="The generator as one line of JSON.")] = False,
) -> None:
    """Release a withheld generator.

    Its verdict stays what it is, and who released it, why and when goes into a new record. It cannot be undone, and
    takes a key with the scope admin.
    """
    from cli.console import print_json

    with client_of(ctx) as lethe:
        generator = lethe.release(generator_id, reason)
    if as_json:
        print_json(generator.raw)
    else:
        typer.echo(f"{generator.id}: released; its verdict stays {generator.verdict}")
