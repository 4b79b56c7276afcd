"""Runs the tests of a module against each of its mutants, in one process after another that is forked from this one.

What takes time is done once: the libraries are imported, Postgres and Valkey run. Nothing of ours is imported before
the fork but what runs the mutants, so that the mutant is what every test imports.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import math
import os
import resource
import select
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from benchmarks.mutants.operators import Mutant
from benchmarks.shared.instead import ROOT, Instead

OURS = (
    "sfd_core",
    "jobs",
    "worker",
    "api",
    "client",
    "cli",
    "local",
    "processes",
    "telling",
    "migrations",
    "models",
    "tests",
)
TIMES_AS_LONG, LEAST = 3.0, 5
"""Processor time, in that of the tests without a mutant and in seconds, after which a mutant counts as killed: it makes
them run on and on."""
WAITING = 120.0
"""Seconds of any time after which it does: it makes them wait for what never comes."""
PLUGINS = ("pytest_timeout", "_hypothesis_pytestplugin")


@dataclass(frozen=True)
class Servers:
    """The servers that all tests use. ``stand_in`` takes the place of ``local.services.services`` in a test's
    process; ``clear`` drops the databases that it left behind."""

    stand_in: Callable[[object], contextlib.AbstractContextManager[object]]
    admin: str

    def clear(self) -> None:
        """Drop the databases of the tests."""
        with psycopg.connect(self.admin, autocommit=True) as connection:
            names = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'test\\_%'").fetchall()
            for (name,) in names:
                connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def green(module: str, tests: Sequence[str], servers: Servers | None = None) -> float | None:
    """Return the seconds of processor time that ``tests`` take on the module as it is; None if one fails."""
    code, seconds = _forked(lambda: _tests(None, module, tests, servers))
    return seconds if code == 0 else None


def survives(mutant: Mutant, module: str, tests: Sequence[str], seconds: float, servers: Servers | None = None) -> bool:
    """Return whether ``tests`` are green with ``mutant`` in the place of ``module``; they take ``seconds`` without
    it."""

    def limited() -> int:
        limit = math.ceil(LEAST + TIMES_AS_LONG * seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        return _tests(mutant, module, tests, servers)

    return _forked(limited)[0] == 0


def warm_up(tests: Sequence[str]) -> None:
    """Import the libraries that ``tests`` need, and nothing of ours."""
    read, write = os.pipe()

    def collect() -> int:
        os.close(read)
        code = _pytest([*tests, "--collect-only"])
        with os.fdopen(write, "w") as stream:
            stream.write("\n".join(sys.modules))
        return code

    pid = _fork(collect)
    os.close(write)
    with os.fdopen(read) as stream:
        names = stream.read().split("\n")
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0:
        raise SystemExit(f"the tests cannot be collected: {' '.join(tests)}")
    for name in names:
        if name.partition(".")[0] not in (*OURS, "__main__", "benchmarks"):
            with contextlib.suppress(Exception):  # a lazy module's part, of which another library is missing
                importlib.import_module(name)
    gc.collect()
    gc.freeze()  # a collection in a child would go through all of it, and copy its pages


@contextlib.contextmanager
def servers(root: Path) -> Iterator[Servers]:
    """Run Postgres and Valkey below ``root``, in a process of their own so that nothing of ours is imported here."""
    read, write = os.pipe()
    stop, stopped = os.pipe()

    def serve() -> int:
        os.close(stopped)
        from local.services import services

        with services(root) as running:
            with os.fdopen(write, "w") as stream:
                stream.write(f"{running.postgres.url}\n{running.valkey.url}")
            os.read(stop, 1)  # until the other end is closed
        return 0

    pid = _fork(serve)
    os.close(write)
    os.close(stop)
    with os.fdopen(read) as stream:
        postgres, valkey = stream.read().split("\n")

    @contextlib.contextmanager
    def stand_in(_: object) -> Iterator[object]:
        from local.services import Service, Services

        yield Services(Service(postgres, None), Service(valkey, None))  # type: ignore[arg-type]

    try:
        yield Servers(stand_in, postgres.replace("postgresql+psycopg", "postgresql"))
    finally:
        os.close(stopped)
        os.waitpid(pid, 0)


def _tests(mutant: Mutant | None, module: str, tests: Sequence[str], servers: Servers | None) -> int:
    if mutant is not None:
        sys.meta_path.insert(0, Instead(module, mutant.source))
    if servers is not None:
        servers.clear()
        import local.services

        local.services.services = servers.stand_in  # type: ignore[assignment]
    return _pytest([*tests, "-x", "-q", "-p", "no:randomly"])


def _pytest(arguments: Sequence[str]) -> int:
    plugins = [part for name in PLUGINS for part in ("-p", name)]
    return int(pytest.main([*arguments, *plugins, "-p", "no:cacheprovider", "--rootdir", str(ROOT)]))


def _fork(what: Callable[[], int]) -> int:
    """The id of a process that is this one's child, leads a group of its own, says nothing and ends with
    ``what()``."""
    sys.stdout.flush()
    sys.stderr.flush()
    if pid := os.fork():
        return pid
    code = 70
    try:
        os.setsid()
        if not os.environ.get("LETHE_MUTANTS_TALK"):
            null = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(null, stream)
        code = what()
    finally:
        os._exit(code)


def _forked(what: Callable[[], int]) -> tuple[int, float]:
    """What ``what()`` gives in a child, -1 if it waits too long; and the processor time that it took."""
    pid = _fork(what)
    descriptor = os.pidfd_open(pid)
    try:
        ended, _, _ = select.select([descriptor], [], [], WAITING)
        if not ended:
            os.killpg(pid, signal.SIGKILL)
        _, status, used = os.wait4(pid, 0)
    finally:
        os.close(descriptor)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # whatever the tests have left
    return os.waitstatus_to_exitcode(status) if ended else -1, used.ru_utime + used.ru_stime
