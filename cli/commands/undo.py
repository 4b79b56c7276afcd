"""``lethe undo``: forget again without one concept."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.connection import client_of


def undo(
    ctx: typer.Context,
    generator_id: Annotated[str, typer.Argument(metavar="GENERATOR", help="The newest generator of the sequence.")],
    concept: Annotated[str, typer.Option(help="What is to be forgotten no longer.")],
    as_json: Annotated[bool, typer.Option("--json", help="The job as one line of JSON.")] = False,
) -> None:
    """Submit a job that forgets again without one concept.

    It starts from the last generator before that concept was forgotten, or from the base model, and forgets all that
    came with it and after it together. Its report says how often the concept is drawn again, beside the base model.
    """
    from cli.console import print_json
    from cli.undoing import NothingToUndo, request_without
    from jobs.record import read_statement

    with client_of(ctx) as lethe:
        try:
            body = request_without(concept, generator_id, lambda each: read_statement(lethe.record(each)))
        except NothingToUndo as error:
            raise typer.BadParameter(str(error), param_hint="--concept") from None
        job = lethe.submit_request(body)
    if as_json:
        print_json(job.raw)
    else:
        forgets = ", ".join(item["concept"] for item in body["forget"])
        typer.echo(f"from {body['base_model']}, forgets {forgets}\nsubmitted {job.id}\nlethe watch {job.id}")
