"""A runner with a worker's row, whose training processes are forked: jobs of some seconds, as a worker runs them."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from jobs import workers
from jobs.workers import Worker
from processes.forking import ForkServer
from sfd_core.base_model.manifest import BaseModel
from tests.faults.conftest import model
from tests.support.attempts import a_runner
from worker.runner import Runner

__all__ = ["model"]


@pytest.fixture
def runner(engine: Engine, model: BaseModel, tmp_path: Path, forks: ForkServer) -> Runner:
    made = a_runner(engine, model.folder.parent, tmp_path, forks, checkpoint_seconds=60)
    workers.state(engine, Worker(made.name, "0.1.0", "host", "CPU", 10**10))
    forks.start()
    while not forks.ready(10):  # its imports are nothing that a job takes
        pass
    return made
