"""``lethe models``: what can be unlearned from."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.connection import client_of


def models(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List the base models, with their concepts."""
    from cli.console import console, print_json
    from cli.tables import models_table

    with client_of(ctx) as lethe:
        found = lethe.base_models()
    if as_json:
        for model in found:
            print_json(model.raw)
    else:
        console().print(models_table(found))
