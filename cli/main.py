"""The ``lethe`` command: which commands there are, and how what goes wrong is said."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cli.commands import (
    advise,
    audit,
    bench,
    cancel,
    decision,
    delete,
    demo,
    evaluate,
    generators,
    jobs,
    keys,
    migrate,
    models,
    record,
    release,
    report,
    sample,
    submit,
    tenants,
    undo,
    unlearn,
    up,
    watch,
    webhooks,
)
from cli.connection import Connection
from cli.exits import REFUSED

# A command shows its own progress; what transformers says of its parts, when it is loaded, is for its own users.
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


class Commands(TyperGroup):
    """The commands, with what can be expected to go wrong said in plain words on stderr: no traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            from cli.explain import explain

            text = explain(error)
            if text is None:
                raise
            typer.echo(f"lethe: {text}", err=True)
            raise typer.Exit(REFUSED) from None


app = typer.Typer(
    cls=Commands,
    help="Make a pretrained diffusion model forget chosen concepts, measure that it did, and serve what remains.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def connection(
    ctx: typer.Context,
    url: Annotated[
        str | None, typer.Option(envvar="LETHE_URL", help="The service; by default the one on this machine.")
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="LETHE_API_KEY", help="For a service that asks for keys.", show_default=False)
    ] = None,
) -> None:
    """Keep the options of every command that talks to a service."""
    ctx.obj = Connection(url, api_key)


app.command()(up.up)
app.command()(demo.demo)
app.command()(migrate.migrate)
app.command()(submit.submit)
app.command()(watch.watch)
app.command()(jobs.jobs)
app.command()(cancel.cancel)
app.command()(report.report)
app.command()(advise.advise)
app.command()(decision.decision)
app.command()(evaluate.evaluate)
app.command()(bench.bench)
app.command()(release.release)
app.command()(delete.delete)
app.command()(sample.sample)
app.command()(unlearn.unlearn)
app.add_typer(generators.app, name="generators")
app.command()(undo.undo)
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.add_typer(tenants.app, name="tenants")
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(record.app, name="record")
app.add_typer(audit.app, name="audit")
