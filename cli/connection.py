"""The service that a command talks to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from client import Lethe

RETRIES = 2
"""A person waits: give up within a second when nothing listens."""


@dataclass(frozen=True)
class Connection:
    """The address of the service and the key that opens it; None: as the environment says."""

    url: str | None
    api_key: str | None

    def open(self) -> Lethe:
        """Open the client."""
        from client import Lethe

        return Lethe(self.url, self.api_key, retries=RETRIES)


def client_of(ctx: typer.Context) -> Lethe:
    """Open the client for the service that the global options name."""
    connection: Connection = ctx.obj
    return connection.open()
