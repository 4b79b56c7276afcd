"""``lethe audit``: who did what, kept elsewhere and checked there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.arguments import DataDir
from cli.connection import client_of
from cli.exits import MISMATCH

app = typer.Typer(help="Export the audit log, and check what was exported.", no_args_is_help=True)


@app.command()
def export(
    ctx: typer.Context,
    local: Annotated[
        bool, typer.Option("--local", help="From the database on the service's machine: of all tenants.")
    ] = False,
    tenant: Annotated[str | None, typer.Option(help="With --local: only this tenant's.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Write every entry to stdout, oldest first, a line of JSON each.

    The head of each chain goes to stderr: keep it where the service cannot write, and `lethe audit verify` finds out
    later whether anything before it was changed. Without --local it is asked of the service, takes a key with the scope
    admin, and is of the key's tenant.
    """
    from jobs.audit.entries import canonical

    if not local and (tenant is not None or data_dir is not None):
        raise typer.BadParameter("is for --local alone", param_hint="--tenant" if tenant is not None else "--data-dir")
    with ExitStack() as exits:
        if local:
            from cli.database import database
            from jobs.audit import AuditLog

            log = AuditLog(exits.enter_context(database(data_dir)))
            documents: Iterable[Mapping[str, Any]] = (entry.to_json() for entry in log.entries(tenant))
        else:
            lethe = exits.enter_context(client_of(ctx))
            documents = (entry.raw for entry in lethe.audit_log(oldest_first=True, page_size=100))
        heads: dict[str, Mapping[str, Any]] = {}
        for document in documents:
            heads[str(document["tenant"])] = document
            sys.stdout.buffer.write(canonical(document) + b"\n")
        sys.stdout.flush()
    for name, last in heads.items():
        typer.echo(f"{name}: {last['seq']} entries, head {last['hash']}", err=True)
    if not heads:
        typer.echo("there are no entries", err=True)


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `lethe audit export` wrote.")],
    head: Annotated[
        list[str] | None,
        typer.Option(
            metavar="HASH", help="A head that was kept, of this export or an earlier one. Repeat it for more."
        ),
    ] = None,
) -> None:
    """Check an exported log. Needs no service and no network.

    Exit status 0 only if no entry was changed, removed, added or moved, and every --head is there; otherwise the first
    entry that does not hold is named. Without --head, entries that are missing at the end are not noticed.
    """
    from jobs.audit.verification import AuditMismatch
    from jobs.audit.verification import verify as check

    for kept in head or ():
        if re.fullmatch(r"[0-9a-f]{64}", kept) is None:
            raise typer.BadParameter(f"{kept!r}: a head has 64 hexadecimal digits", param_hint="--head")
    try:
        with file.open("rb") as lines:
            chains = check(lines, head or ())
    except AuditMismatch as mismatch:
        typer.echo(f"MISMATCH: {mismatch}", err=True)
        raise typer.Exit(MISMATCH) from None
    for each in chains:
        typer.echo(
            f"{each.tenant}: {each.entries} entries hold, from {each.first_at} to {each.last_at}, head {each.head}"
        )
    if not chains:
        typer.echo("there are no entries")
    elif not head:
        typer.echo("the end was not checked: no --head", err=True)
