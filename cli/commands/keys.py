"""``lethe keys``: API keys, made on the machine of the service, because the first one has nobody to ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cli.arguments import DataDir

if TYPE_CHECKING:
    from jobs.keys import ApiKey

DEFAULT_TENANT = "default"

app = typer.Typer(help="Make, list, rotate and revoke API keys (for LETHE_AUTH=keys).", no_args_is_help=True)


class Scope(StrEnum):
    """The scope of a key: what it allows; ``admin`` allows everything within its tenant, ``metrics`` to read the
    service's."""

    SUBMIT = "submit"
    READ = "read"
    ADMIN = "admin"
    METRICS = "metrics"


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What the key is for; shown in the list.")],
    scope: Annotated[
        list[Scope] | None, typer.Option(help="Repeat it for several. By default submit and read.")
    ] = None,
    tenant: Annotated[str, typer.Option(help="Whose jobs it opens.")] = DEFAULT_TENANT,
    days: Annotated[
        int | None, typer.Option(min=1, help="Expires after N days. By default never.", metavar="N")
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """Make a key. Its secret goes to stdout, this once: it is not stored."""
    from cli.database import database
    from jobs import keys

    scopes = [str(each) for each in scope or (Scope.SUBMIT, Scope.READ)]
    expires_at = datetime.now(UTC) + timedelta(days=days) if days is not None else None
    with database(data_dir) as engine:
        try:
            key, secret = keys.create(engine, tenant, name, scopes, expires_at)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
    ends = f", until {key.expires_at:%Y-%m-%d}" if key.expires_at else ""
    typer.echo(
        f"{key.id} for {tenant}: {', '.join(sorted(key.scopes))}{ends}. Keep the secret: it is shown once.", err=True
    )
    typer.echo(secret)


@app.command("list")
def list_(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's keys.")] = None,
    data_dir: DataDir = None,
) -> None:
    """List keys, newest first, those that ended included."""
    from rich.table import Table
    from rich.text import Text

    from cli.console import console
    from cli.database import database
    from jobs import keys

    with database(data_dir) as engine:
        found = keys.list_keys(engine, tenant)
    table = Table("key", "tenant", "name", "begins with", "scopes", "state", "last used")
    table.columns[0].no_wrap = True
    now = datetime.now(UTC)
    for key in found:
        used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
        cells = (key.id, key.tenant, key.name, key.prefix, ", ".join(sorted(key.scopes)), _state(key, now), used)
        table.add_row(*(Text(cell) for cell in cells))
    console().print(table)


@app.command()
def rotate(
    key: Annotated[str, typer.Argument(metavar="KEY", help="Its name, or its id, key_...: see `lethe keys list`.")],
    overlap: Annotated[
        float, typer.Option(min=0, metavar="HOURS", help="For how long the old key stays valid. 0 ends it at once.")
    ] = 24,
    tenant: Annotated[str, typer.Option(help="Whose key, where it is given by its name.")] = DEFAULT_TENANT,
    data_dir: DataDir = None,
) -> None:
    """Replace a key by a new one with the same name, scopes and lifetime; the old one stays valid for a while. The new
    secret goes to stdout, this once: it is not stored."""
    from cli.database import database
    from jobs import keys

    with database(data_dir) as engine:
        try:
            new, old, secret = keys.rotate(engine, key, tenant, timedelta(hours=min(overlap, 1e6)))
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--overlap") from None
    typer.echo(
        f"{new.id} replaces {old.id} ({old.name}), which ends at {old.expires_at:%Y-%m-%d %H:%M} UTC. Keep the secret: "
        "it is shown once.",
        err=True,
    )
    typer.echo(secret)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="KEY", help="Its id, key_...: see `lethe keys list`.")],
    data_dir: DataDir = None,
) -> None:
    """Revoke a key, effective immediately."""
    from cli.database import database
    from jobs import keys

    with database(data_dir) as engine:
        key = keys.revoke(engine, key_id)
    typer.echo(f"{key.id} ({key.name}): revoked")


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoked_at is not None:
        return f"revoked {key.revoked_at:%Y-%m-%d}"
    if key.expires_at is None:
        return "valid"
    state = "expired" if key.expires_at <= now else "replaced, valid until" if key.replaced_by else "valid until"
    return f"{state} {key.expires_at:%Y-%m-%d}"
