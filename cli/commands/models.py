"""``lethe models``: what can be unlearned from."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.commands.models_import import import_model
from cli.connection import client_of

app = typer.Typer(help="List the base models; import checkpoints.", invoke_without_command=True, no_args_is_help=False)


@app.callback()
def models(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the base models of the service, with their concepts."""
    if ctx.invoked_subcommand is not None:
        return
    from cli.console import console, print_json
    from cli.tables import models_table

    with client_of(ctx) as lethe:
        found = lethe.base_models()
    if as_json:
        for model in found:
            print_json(model.raw)
    else:
        console().print(models_table(found))


app.command("import")(import_model)
