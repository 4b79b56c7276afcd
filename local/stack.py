"""The whole service on one machine: servers where no URL is given, migrations, api, worker and sampler."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jobs.database import migrate
from jobs.settings import Settings
from local.errors import ChildError, LocalError
from local.folders import make_data_folder
from local.program import Program
from local.server import Running
from local.services import some_services
from local.signals import Asked, stop_signals
from local.supervisor import Supervisor
from processes.logs import tail

Say = Callable[[str], None]
SPIN_COUNT = "2000"
"""For how long torch's threads (by GNU's OpenMP) spin where they wait for each other. Without it they sleep between any
two operations, and two threads take as long over a small network as one (measured on two cores: 0.21 s for 0.11); as
long as is usual, two processes on the same cores take each other's time (measured: half the speed of both)."""
_START_SECONDS = 60.0
_API_GRACE = 10.0
_WORKER_GRACE = 60.0  # to write a checkpoint and hand the job back


@dataclass(frozen=True)
class Stack:
    """A service that runs: where it is, and what it stands on."""

    url: str
    database_url: str
    broker_url: str
    data_dir: Path
    supervisor: Supervisor

    def check(self) -> None:
        """Raise LocalError where the service has stopped by itself, with the reason."""
        if self.supervisor.failure is not None:
            raise self.supervisor.failure


class Stopped(Exception):
    """The start was given up because a stop was asked for."""


@contextlib.contextmanager
def running(settings: Settings, *, say: Say = lambda line: None, asked: Asked | None = None) -> Iterator[Stack]:
    """Run the service of ``settings``, ready to answer; stopped whole at the end: api, workers, servers.

    ``say`` gets a line for each thing worth telling. ``asked`` once to stop, a start that still waits is given up (with
    Stopped); asked twice, what would be waited for at the end is killed. Port 0 means any that is free.
    Raises LocalError with what to do about it, also at the end where the service has stopped by itself.
    """
    asked = asked or Asked()
    with contextlib.ExitStack() as exits:
        root = make_data_folder(settings.data_dir)
        port = _check_port(settings.host, settings.port)
        database_url, broker_url, servers = _enter_servers(exits, settings, root)
        migrate(database_url)
        given = settings.model_copy(
            update={"database_url": database_url, "broker_url": broker_url, "data_dir": root, "port": port}
        )
        supervisor = Supervisor(_programs(given), servers, say=say, hurry=lambda: asked.times > 1)
        url = f"http://{_connect_host(settings.host)}:{port}"
        stack = Stack(url, database_url, broker_url, root, supervisor)
        supervisor.start()
        exits.callback(supervisor.stop)
        _wait_until_ready(stack, asked)
        yield stack
        stack.check()


def serve(settings: Settings, *, say: Say = lambda line: None, ready: Callable[[Stack], None] | None = None) -> None:
    """Run the service until SIGTERM, Ctrl-C or SIGHUP; a second signal kills what still stops. Main thread only.

    ``ready`` is called once with the stack when it answers. Raises LocalError where the service cannot start or ends by
    itself.
    """
    with stop_signals() as asked:
        try:
            with running(settings, say=say, asked=asked) as stack:
                if ready is not None:
                    ready(stack)
                while not asked.times:
                    stack.check()
                    time.sleep(0.1)
                say("stopping")
        except Stopped:
            say("stopped before it was ready")


def _enter_servers(exits: contextlib.ExitStack, settings: Settings, root: Path) -> tuple[str, str, list[Running]]:
    urls = {"postgres": settings.database_url, "valkey": settings.broker_url}
    missing = [name for name, url in urls.items() if url is None]
    servers: list[Running] = []
    if missing:
        for name, service in zip(missing, exits.enter_context(some_services(root, missing)), strict=True):
            urls[name] = service.url
            servers.append(service.running)
    database_url, broker_url = urls["postgres"], urls["valkey"]
    assert database_url is not None
    assert broker_url is not None
    return database_url, broker_url, servers


def _programs(settings: Settings) -> list[list[Program]]:
    """What runs, in the order of stopping: nobody is let in, then work ends."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    logs = settings.data_dir / "logs"
    common = settings.environment()

    def program(
        name: str, module: str, *arguments: str, grace: float, threads: int | None = None, **own: str
    ) -> Program:
        environment = {**common, **own}
        if threads is not None:
            environment["GOMP_SPINCOUNT"] = os.environ.get("GOMP_SPINCOUNT", SPIN_COUNT)
            environment["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", str(threads))
        command = (sys.executable, "-P", "-m", module, *arguments)
        return Program(name, command, logs / f"{name}.log", environment, grace)

    training_threads = settings.torch_threads or max(1, cores // len(settings.workers))
    sampling_threads = 1 if cores <= 2 else max(1, cores // 4)
    return [
        [program("api", "api", grace=_API_GRACE)],
        [
            *(
                program(
                    name,
                    "worker.main",
                    "train",
                    grace=_WORKER_GRACE,
                    threads=training_threads,
                    LETHE_DEVICE=device,
                    LETHE_WORKERS=str(settings.workers.count(device)),
                )
                for name, device in zip(_names("worker", len(settings.workers)), settings.workers, strict=True)
            ),
            program("sampler", "worker.main", "sample", grace=_API_GRACE, threads=sampling_threads),
        ],
    ]


def _names(kind: str, count: int) -> list[str]:
    """What so many programs of a kind are called; their logs too."""
    return [kind] if count == 1 else [f"{kind}-{i + 1}" for i in range(count)]


def _check_port(host: str, port: int) -> int:
    """``port``, or a free one for 0. Raises LocalError where it is taken: better than a child that cannot start."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise LocalError(
                f"cannot listen on {host}:{port} ({error.strerror}): is `lethe up` running already? "
                "Set LETHE_PORT to another port, or to 0 for any that is free"
            ) from error
        return int(probe.getsockname()[1])


def _connect_host(host: str) -> str:
    """The host to reach a server at that listens on ``host``."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1" if host == "0.0.0.0" else "[::1]"
    return f"[{host}]" if ":" in host else host


def _wait_until_ready(stack: Stack, asked: Asked) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # this machine, whatever proxy is set
    log = stack.data_dir / "logs" / "api.log"
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        stack.check()
        try:
            with opener.open(f"{stack.url}/readyz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            if asked.times:
                raise Stopped from None
            time.sleep(0.1)
    raise ChildError(f"the api is not ready after {_START_SECONDS:.0f} s; {log} ends with\n{tail(log)}")
