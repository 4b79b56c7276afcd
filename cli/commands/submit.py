"""``lethe submit``: a job for the service."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.arguments import FORGET_HELP, PROBE_HELP, parse_forget, parse_numbers, parse_settings
from cli.connection import client_of


def submit(
    ctx: typer.Context,
    base: Annotated[str, typer.Option(help="The base model: see `lethe models`.")],
    forget: Annotated[list[str], typer.Option(metavar="CONCEPT=OVERRIDE", help=FORGET_HELP)],
    images: Annotated[int, typer.Option(help="The budget: train on that many generated images.")],
    seconds: Annotated[float | None, typer.Option(help="Or for so many seconds, whichever ends first.")] = None,
    stop_when_unlearned: Annotated[
        bool, typer.Option("--stop-when-unlearned", help="Or until nothing is left to gain.")
    ] = False,
    seed: Annotated[int | None, typer.Option(help="By default the service's.")] = None,
    recipe: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="A change of the base model's recipe: alpha=1.2.")
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="What a pass takes: unlearning_accuracy=0.99."),
    ] = None,
    probe: Annotated[list[str] | None, typer.Option(metavar="NAME", help=PROBE_HELP)] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Wait for the end; 1 unless the verdict is pass.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The job as one line of JSON.")] = False,
) -> None:
    """Submit an unlearning job."""
    forgotten = parse_forget(forget)
    changes = parse_settings(recipe or (), "--recipe")
    thresholds = parse_numbers(threshold or (), "--threshold")

    from cli.commands.watch import finish, follow_or_leave
    from cli.console import console, print_json

    with client_of(ctx) as lethe:
        job = lethe.submit(
            base,
            forgotten,
            images=images,
            seconds=seconds,
            stop_when_unlearned=stop_when_unlearned,
            recipe=changes or None,
            thresholds=thresholds or None,
            evaluation={"probes": probe} if probe else None,
            seed=seed,
        )
        if watch:
            typer.echo(f"submitted {job.id}", err=as_json)
            finish(follow_or_leave(lethe, job.id, console(stderr=as_json)), as_json=as_json)
    if as_json:
        print_json(job.raw)
    else:
        typer.echo(f"submitted {job.id}\nlethe watch {job.id}")
