"""Postgres and Valkey for as long as anybody needs them.

Any number of processes may enter ``services(root)``; the first starts the servers, the last one out stops them. Who is
in is a shared lock on one file, so a process that is killed is out, too; where it was the last, the caretaker stops
the servers in its place. Where that was killed with it, whoever enters next joins the servers that are left.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from local import caretaker, locks
from local.folders import make_data_folder, make_socket_folder
from local.server import Running
from local.servers import KINDS, stop_servers, users_lock


class Service(NamedTuple):
    """A server that runs, and the URL to reach it at."""

    url: str
    running: Running


class Services(NamedTuple):
    """The servers that ``services`` gives: each has ``.url``."""

    postgres: Service
    valkey: Service


@contextlib.contextmanager
def services(root: Path | str) -> Iterator[Services]:
    """Yield Postgres and Valkey on the data folder ``root``, running until the last user leaves.

    Raises DataFolderError or ServerError, with what to do about it.
    """
    with some_services(root, ("postgres", "valkey")) as (postgres, valkey):
        yield Services(postgres, valkey)


@contextlib.contextmanager
def some_services(root: Path | str, names: Sequence[str]) -> Iterator[tuple[Service, ...]]:
    """Yield the servers of ``names`` ("postgres", "valkey") on ``root``, in that order; otherwise as ``services``."""
    root = make_data_folder(Path(root))
    for name in ("locks", "logs"):
        (root / name).mkdir(mode=0o700, exist_ok=True)
    users = locks.share(users_lock(root))  # waits while a last one is stopping
    owner = os.getpid()
    entered: list[Running] = []
    helper = None
    try:
        helper = caretaker.start(root)
        sockets = make_socket_folder(root)
        for name in names:
            running = Running(KINDS[name](root, sockets))
            entered.append(running)
            running.ensure()
        yield tuple(Service(running.server.url, running) for running in entered)
    finally:
        if os.getpid() == owner:  # a forked child that leaves must not stop its parent's servers
            os.close(users)
            alone = locks.try_alone(users_lock(root))
            if alone is not None:
                try:
                    caretaker.stop(root, helper)
                    stop_servers(root, entered)
                finally:
                    os.close(alone)
            for running in entered:
                running.server.close()
