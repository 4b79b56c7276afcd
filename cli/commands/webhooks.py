"""``lethe webhooks``: who is told of what becomes of jobs, and whether it was delivered."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from cli.connection import client_of

if TYPE_CHECKING:
    from client import Webhook

app = typer.Typer(
    help="Make, list and change webhooks, and see what was delivered. Takes a key with the scope admin.",
    no_args_is_help=True,
)

Id = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Its id, hook_...: see `lethe webhooks list`.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
Events = Annotated[
    list[str] | None,
    typer.Option(
        "--event",
        metavar="EVENT",
        help="job.started, job.succeeded, job.failed, job.cancelled, or job.finished for the last three, the default. "
        "Repeat it for several.",
    ),
]
Description = Annotated[str | None, typer.Option(help="Your own words, shown in the list.")]


@app.command()
def create(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="URL", help="https://..., or mailto:ops@example.org for --kind email.")],
    kind: Annotated[
        str | None, typer.Option(help="webhook, the default: a signed POST of JSON; slack: a line of text; email.")
    ] = None,
    event: Events = None,
    description: Description = None,
    as_json: AsJson = False,
) -> None:
    """Make a webhook, told of every job. Its secret goes to stdout, this once."""
    with client_of(ctx) as lethe:
        made = lethe.create_webhook(url, kind=kind, events=event or None, description=description)
    _say_secret(made, f"{made.id}: told of {', '.join(made.events)}.", as_json)


@app.command("list")
def list_(
    ctx: typer.Context,
    job: Annotated[str | None, typer.Option(help="Only the webhook of this job.")] = None,
    as_json: AsJson = False,
) -> None:
    """List webhooks, newest first: those that are told of every job, or that of one."""
    from rich.table import Table
    from rich.text import Text

    from cli.console import console, print_json

    with client_of(ctx) as lethe:
        found = list(lethe.webhooks(job=job))
    if as_json:
        for hook in found:
            print_json(hook.raw)
        return
    table = Table("webhook", "kind", "url", "events", "state", "description")
    table.columns[0].no_wrap = True
    for hook in found:
        table.add_row(
            *map(Text, (hook.id, hook.kind, hook.url, ", ".join(hook.events), _state(hook), hook.description))
        )
    console().print(table)


@app.command()
def show(ctx: typer.Context, webhook_id: Id, as_json: AsJson = False) -> None:
    """Show one webhook."""
    with client_of(ctx) as lethe:
        _say(lethe.webhook(webhook_id), as_json)


@app.command()
def update(
    ctx: typer.Context,
    webhook_id: Id,
    url: Annotated[str | None, typer.Option(help="Where it is told from now on.")] = None,
    event: Events = None,
    description: Description = None,
    disabled: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Whether it is told nothing any more, or again.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Change a webhook; what is not named stays, and so does its secret."""
    with client_of(ctx) as lethe:
        changed = lethe.update_webhook(
            webhook_id, url=url, events=event or None, description=description, disabled=disabled
        )
    _say(changed, as_json)


@app.command()
def delete(ctx: typer.Context, webhook_id: Id) -> None:
    """Delete a webhook. What was not delivered will not be."""
    with client_of(ctx) as lethe:
        lethe.delete_webhook(webhook_id)
    typer.echo(f"{webhook_id}: deleted")


@app.command()
def rotate(
    ctx: typer.Context,
    webhook_id: Id,
    overlap: Annotated[
        float,
        typer.Option(min=0, metavar="HOURS", help="For how long deliveries are signed with both. 0: with the new."),
    ] = 24,
    as_json: AsJson = False,
) -> None:
    """Replace a webhook's secret. The new one goes to stdout, this once."""
    with client_of(ctx) as lethe:
        made = lethe.rotate_webhook_secret(webhook_id, overlap)
    until = made.secret_before_until
    said = f"the secret before is good until {until:%Y-%m-%d %H:%M} UTC" if until else "the secret before has ended"
    _say_secret(made, f"{made.id}: {said}.", as_json)


@app.command()
def deliveries(
    ctx: typer.Context,
    webhook_id: Id,
    status: Annotated[str | None, typer.Option(help="Only these: pending, delivered or failed.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Maximum number of deliveries.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List what a webhook was told or is to be told, newest first."""
    from rich.table import Table
    from rich.text import Text

    from cli.console import console, print_json

    with client_of(ctx) as lethe:
        found = list(islice(lethe.deliveries(webhook_id, status=status, page_size=min(limit, 100)), limit))
    if as_json:
        for each in found:
            print_json(each.raw)
        return
    table = Table("delivery", "event", "job", "status", "tries", "answer", "next try")
    for column in table.columns[:3]:
        column.no_wrap = True
    for each in found:
        answer = each.error or str(each.response or "")
        again = f"{each.next_try_at:%Y-%m-%d %H:%M:%S}" if each.next_try_at else ""
        table.add_row(*map(Text, (each.id, each.event, each.job, each.status, str(each.tries), answer, again)))
    console().print(table)


@app.command()
def redeliver(
    ctx: typer.Context,
    webhook_id: Id,
    delivery_id: Annotated[str, typer.Argument(metavar="DELIVERY", help="See `lethe webhooks deliveries`.")],
) -> None:
    """Deliver again, with the same id."""
    with client_of(ctx) as lethe:
        again = lethe.redeliver(webhook_id, delivery_id)
    typer.echo(f"{again.id}: {again.status}")


def _say_secret(hook: Webhook, said: str, as_json: bool) -> None:
    """A webhook that was just made or has a new secret: the secret alone on stdout, where it has one."""
    from cli.console import print_json

    if as_json:
        print_json(hook.raw)
        return
    typer.echo(said + (" Keep the secret: it is shown once." if hook.secret else ""), err=True)
    if hook.secret:
        typer.echo(hook.secret)


def _say(hook: Webhook, as_json: bool) -> None:
    from cli.console import print_json

    if as_json:
        print_json(hook.raw)
    else:
        typer.echo(f"{hook.id}: {hook.kind}, {hook.url}, {', '.join(hook.events)}; {_state(hook)}")


def _state(hook: Webhook) -> str:
    if hook.disabled_at is None:
        return "enabled"
    return "disabled: its receiver is gone" if hook.disabled_because == "gone" else "disabled"
