"""``lethe tenants``: who has jobs on a service, and how much of it each may use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from cli.arguments import DataDir, parse_settings

app = typer.Typer(help="Make and list tenants, and limit what each may use.", no_args_is_help=True)

LIMITS_HELP = (
    "LIMIT=N, or LIMIT=none to lift it. Limits: queued_jobs, running_jobs, training_minutes (a calendar month), "
    "stored_bytes, samples_per_minute."
)
EXAMPLE = "running_jobs=2"


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="1 to 64 letters, digits, '.', '_', '@' and '-'.")],
    limit: Annotated[list[str] | None, typer.Option(help=f"{LIMITS_HELP} Repeat it for several.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a tenant. The first API key of a tenant makes one too, without limits."""
    from cli.database import database
    from jobs import tenants

    limits = _limits(limit or [], "--limit")
    with database(data_dir) as engine:
        try:
            made = tenants.create(engine, name, limits)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    typer.echo(f"{made.name}: {_said(made.limits.to_json())}. Its keys: `lethe keys create --tenant {made.name}`")


@app.command("list")
def list_(data_dir: DataDir = None) -> None:
    """List tenants by name: what each may use, and what it uses."""
    from rich.table import Table
    from rich.text import Text

    from cli.console import console
    from cli.database import database
    from jobs import quotas, tenants

    table = Table("tenant", "since", *(name.replace("_", " ") for name in tenants.LIMITS))
    table.columns[0].no_wrap = True
    with database(data_dir) as engine:
        for tenant in tenants.list_tenants(engine):
            limits, used = quotas.usage(engine, tenant.name)
            cells = [_used(used[name], getattr(limits, name)) for name in tenants.LIMITS]
            table.add_row(*map(Text, (tenant.name, f"{tenant.created_at:%Y-%m-%d}", *cells)))
    console().print(table)


@app.command()
def limit(
    name: Annotated[str, typer.Argument(help="The tenant: see `lethe tenants list`.")],
    limits: Annotated[list[str], typer.Argument(metavar="LIMIT=N...", help=LIMITS_HELP)],
    data_dir: DataDir = None,
) -> None:
    """Replace limits of a tenant, effective immediately; those that are not named stay."""
    from cli.database import database
    from jobs import tenants

    changed = _limits(limits, "LIMIT=N")
    with database(data_dir) as engine:
        try:
            tenant = tenants.limit(engine, name, changed)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    typer.echo(f"{tenant.name}: {_said(tenant.limits.to_json())}")


def _limits(items: Iterable[str], option: str) -> dict[str, Any]:
    given = parse_settings(items, option, EXAMPLE)
    return {name: None if value == "none" else value for name, value in given.items()}


def _said(limits: dict[str, int]) -> str:
    return ", ".join(f"{name}={value}" for name, value in limits.items()) or "no limits"


def _used(used: float, limit: int | None) -> str:
    return f"{used:.0f}" if limit is None else f"{used:.0f} of {limit}"
