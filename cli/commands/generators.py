"""``lethe generators``: what jobs have made."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import typer

from cli.arguments import parse_texts
from cli.connection import client_of

app = typer.Typer(help="List generators, and show one.", no_args_is_help=True)


@app.command("list")
def list_generators(
    ctx: typer.Context,
    status: Annotated[
        str | None, typer.Option(metavar="published|withheld", help="Only generators with this status.")
    ] = None,
    base: Annotated[str | None, typer.Option(help="Only generators of this base model.")] = None,
    verdict: Annotated[str | None, typer.Option(help="Only generators with this verdict.")] = None,
    concept: Annotated[str | None, typer.Option(help="Only generators that have forgotten this concept.")] = None,
    ticket: Annotated[str | None, typer.Option(help="Only generators of jobs whose case has this ticket.")] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Only generators of jobs with this in their metadata: ticket=T-123."),
    ] = None,
    created_after: Annotated[
        datetime | None, typer.Option(help="Only generators made at this time or later, by this machine's clock.")
    ] = None,
    created_before: Annotated[datetime | None, typer.Option(help="Only generators made before this time.")] = None,
    id: Annotated[str | None, typer.Option(help="Only generators whose id ends in this: 6 characters or more.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Maximum number of generators.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List generators, newest first, withheld ones too: all, or those of which everything is so that is asked for."""
    metadata_wanted = parse_texts(metadata or (), "--metadata", "ticket=T-123")

    from cli.console import console, print_json
    from cli.tables import generators_table

    with client_of(ctx) as lethe:
        wanted = lethe.generators(
            status=status,
            base_model=base,
            verdict=verdict,
            concept=concept,
            ticket=ticket,
            metadata=metadata_wanted,
            created_after=created_after and created_after.astimezone(),
            created_before=created_before and created_before.astimezone(),
            id=id,
            page_size=min(limit, 100),
        )
        found = list(islice(wanted, limit))
    if as_json:
        for generator in found:
            print_json(generator.raw)
    else:
        console().print(generators_table(found, datetime.now(UTC)))


@app.command()
def show(
    ctx: typer.Context,
    generator_id: Annotated[str, typer.Argument(metavar="GENERATOR")],
    as_json: Annotated[bool, typer.Option("--json", help="The generator as one line of JSON.")] = False,
) -> None:
    """Show one generator."""
    from cli.console import console, print_json, say
    from cli.tables import generator_lines

    with client_of(ctx) as lethe:
        generator = lethe.generator(generator_id)
    if as_json:
        print_json(generator.raw)
        return
    out = console()
    for line in generator_lines(generator):
        say(out, line)
