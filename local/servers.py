"""The servers of a data folder: which there are, who uses them, and how all of them are stopped."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from local import locks
from local.folders import make_socket_folder, remove_socket_folder
from local.postgres import Postgres
from local.server import Running, Server
from local.valkey import Valkey

KINDS: dict[str, Callable[[Path, Path], Server]] = {"postgres": Postgres, "valkey": Valkey}


def users_lock(root: Path) -> Path:
    """Return the lock that every process that uses the servers of ``root`` shares; the one that stops them holds it
    alone."""
    return root / "locks" / "users"


def stop_servers(root: Path, known: Sequence[Running] = ()) -> None:
    """Stop every server on ``root`` that lives, whoever started it. Only for the holder, alone, of the users' lock.

    ``known`` are those that this process has entered and so may have to reap. Raises ServerError.
    """
    sockets = make_socket_folder(root)
    with contextlib.ExitStack() as stops:  # each is tried, also where another does not stop
        for name, kind in KINDS.items():
            running = next((each for each in known if each.server.name == name), None)
            if running is None:
                if not locks.is_held(root / "locks" / name):
                    continue
                running = Running(kind(root, sockets))
                stops.callback(running.server.close)
            stops.callback(running.stop)
    remove_socket_folder(root)
