"""Real workers on a tiny base model: processes that are started, signalled and killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import Engine

from jobs.broker import Broker
from jobs.dispatcher import Dispatcher
from jobs.events import Event
from jobs.job import Job
from jobs.settings import Settings
from jobs.store import JobStore
from processes.forking import ForkServer
from sfd_core.base_model.manifest import BaseModel
from tests.support.attempts import a_runner, submitted
from tests.support.tiny_model import make_tiny_model
from tests.support.waiting import wait_for
from worker.child import MODULE, NAME
from worker.runner import Runner


@dataclass
class Worker:
    """A worker process and the process group it leads."""

    process: subprocess.Popen[bytes]
    log: Path

    def training_pid(self) -> int | None:
        """The training process, or None if there is none."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):  # also a zombie: it ended meanwhile
                if child.name() == NAME or child.cmdline()[2:4] == ["-m", MODULE]:
                    return child.pid
        return None

    def kill(self) -> None:
        """Kill the worker at once, not its training process: that must notice by itself."""
        self.process.kill()
        self.process.wait()


@dataclass
class Service:
    """A store, a broker and a dispatcher, as the api has them, and the workers that a test starts."""

    settings: Settings
    engine: Engine
    store: JobStore
    broker: Broker
    dispatcher: Dispatcher
    model: BaseModel
    environment: dict[str, str]
    workers: list[Worker] = field(default_factory=list)

    def submit(self, steps: int = 150, **fields: Any) -> Job:
        """A job of ``steps`` steps of some ten milliseconds."""
        job = submitted(self.store, self.model, steps, **fields)
        self.dispatcher.nudge()
        return job

    def start_worker(self, kind: str = "train", **settings: str) -> Worker:
        """Start a worker. ``settings``: variables of its own."""
        log = self.settings.data_dir / f"worker-{len(self.workers)}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "worker.main", kind],
                stdout=stream,
                stderr=stream,
                stdin=subprocess.DEVNULL,
                env={**self.environment, **settings},
                start_new_session=True,
            )
        worker = Worker(process, log)
        self.workers.append(worker)
        return worker

    def events(self, job: Job, type_: str | None = None) -> list[Event]:
        found = self.store.events(job.id, 0, 1000)
        return [e for e in found if type_ is None or str(e.type) == type_]

    def wait_status(self, job: Job, *statuses: str, seconds: float = 90) -> Job:
        try:
            wait_for(lambda: str(self.store.get(job.id).status) in statuses, seconds)
        except Exception:
            for worker in self.workers:
                sys.stderr.write(worker.log.read_text()[-4000:])
            raise
        return self.store.get(job.id)

    def stop(self) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.send_signal(signal.SIGCONT)
                worker.process.terminate()
        for worker in self.workers:
            try:
                worker.process.wait(60)
            finally:
                worker.process.kill()


@pytest.fixture
def model(tmp_path: Path) -> BaseModel:
    return make_tiny_model(tmp_path / "models" / "tiny")


@pytest.fixture
def runner(engine: Engine, model: BaseModel, tmp_path: Path, forks: ForkServer) -> Runner:
    """A runner without Celery or a broker."""
    return a_runner(engine, model.folder.parent, tmp_path, forks)


@pytest.fixture(scope="session")
def tiny_models() -> Iterator[Path]:
    """A folder with the tiny model in it, as ``LETHE_MODELS_DIR`` names one."""
    folder = Path(tempfile.mkdtemp(prefix="lethe-tiny-", dir="/tmp"))
    make_tiny_model(folder / "tiny")
    yield folder
    shutil.rmtree(folder)


@contextlib.contextmanager
def a_service(
    engine: Engine, database_url: str, broker_url: str, models: Path, folder: Path, **changes: Any
) -> Iterator[Service]:
    """A service on these servers, with the lease of a test; ``changes``: other settings."""
    values: dict[str, Any] = {
        "database_url": database_url,
        "broker_url": broker_url,
        "data_dir": folder / "data",
        "bundled_models_dir": models,
        "lease_seconds": 4,
        "renew_seconds": 1,
        "checkpoint_seconds": 0.3,
        "device": "cpu",
        "torch_threads": 1,
        "log_level": "INFO",
    } | changes
    settings = Settings(**values)
    settings.data_dir.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LETHE_")}
    environment |= {f"LETHE_{name.upper()}": str(value) for name, value in values.items()}
    environment |= {"OMP_NUM_THREADS": "1", "GOMP_SPINCOUNT": "0"}
    broker = Broker(broker_url)
    dispatcher = Dispatcher(engine, broker)
    dispatcher.start()
    made = Service(settings, engine, JobStore(engine), broker, dispatcher, settings.models()["tiny"], environment)
    yield made
    made.stop()
    dispatcher.stop()
    broker.close()


@pytest.fixture
def service(engine: Engine, database_url: str, broker_url: str, tiny_models: Path, tmp_path: Path) -> Iterator[Service]:
    with a_service(engine, database_url, broker_url, tiny_models, tmp_path) as made:
        yield made
