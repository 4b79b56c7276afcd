"""Postgres and Valkey for as long as anybody needs them.

Any number of processes may enter ``services(root)``; the first starts the servers, the last one out stops them. Who is
in is a shared lock on one file, so a process that is killed is out, too. What it leaves running is joined by the next
to enter, or started again where it was killed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from local import locks
from local.folders import make_data_folder, make_socket_folder, remove_socket_folder
from local.postgres import Postgres
from local.server import Running
from local.valkey import Valkey


class Service(NamedTuple):
    """A server that runs, and the URL to reach it at."""

    url: str
    running: Running


class Services(NamedTuple):
    """What ``services`` gives: each has ``.url``."""

    postgres: Service
    valkey: Service


@contextlib.contextmanager
def services(root: Path | str) -> Iterator[Services]:
    """Postgres and Valkey on the data folder ``root``, running until the last user leaves.

    Raises DataFolderError or ServerError, with what to do about it.
    """
    root = make_data_folder(Path(root))
    for name in ("locks", "logs"):
        (root / name).mkdir(mode=0o700, exist_ok=True)
    users = locks.share(root / "locks" / "users")  # waits while a last one is stopping
    owner = os.getpid()
    servers: list[Postgres | Valkey] = []
    running: list[Running] = []
    try:
        sockets = make_socket_folder(root)
        for kind in (Postgres, Valkey):
            server = kind(root, sockets)
            servers.append(server)
            running.append(Running(server))
            running[-1].ensure()
        yield Services(*(Service(each.server.url, each) for each in running))
    finally:
        if os.getpid() == owner:  # a forked child that leaves must not stop its parent's servers
            os.close(users)
            alone = locks.try_alone(root / "locks" / "users")
            if alone is not None:
                try:
                    for each in reversed(running):
                        each.stop()
                    remove_socket_folder(root)
                finally:
                    os.close(alone)
            for server in servers:
                server.close()
