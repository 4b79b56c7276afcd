"""A runner on a store, without Celery or a broker, and training processes that say what a test wants."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from jobs.artifacts import ArtifactStore
from jobs.generators import GeneratorStore
from jobs.job import Job, NewJob
from jobs.settings import Settings
from jobs.store import JobStore
from processes.forking import ForkServer
from processes.talking import Talking, start_talking
from sfd_core.admission import admit
from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.memory import memory_needed
from sfd_core.request.reading import written
from worker import runner as module
from worker.runner import Runner

TOLD = """
import json, os, signal, sys, time
def tell(type_, **data):
    print(json.dumps({"type": type_, **data}), flush=True)
folder = sys.argv[1]
"""
"""What a scripted process begins with."""
TRAINED = """
os.makedirs(folder + "/report"); os.makedirs(folder + "/generator"); os.makedirs(folder + "/pair")
report = {"verdict": "pass", "recipe": {}, "seed": 7, "cost": {"images": 8}, "evaluators": [], "criteria": [],
          "scores": {"file": "s"}, "pictures": {}, "limits": [], "probes": {"asked": [], "results": {}},
          "generator": {"digest": "sha256:1"}}
environment = {"code": {}, "dependencies": {}, "machine": {}}
for name, text in (("report/report.json", json.dumps(report)), ("environment.json", json.dumps(environment)),
                   ("generator/w", "w")):
    open(folder + "/" + name, "w").write(text)
tell("done")
"""
"""A training process that has made a generator and its report, as far as publishing them goes."""


def a_runner(engine: Engine, models: Path, folder: Path, forks: ForkServer | None = None, **settings: Any) -> Runner:
    """Make a runner on ``models``, that works in ``folder``. ``forks``: as a worker has it."""
    values: dict[str, Any] = {
        "data_dir": folder / "data",
        "bundled_models_dir": models,
        "checkpoint_seconds": 0.3,
        "torch_threads": 1,
        "device": "cpu",
    }
    made = Settings(**values | settings)
    return Runner(made, JobStore(engine), GeneratorStore(engine), ArtifactStore(made.artifacts_url), "worker-1", forks)


def body_of(steps: int, **fields: Any) -> dict[str, Any]:
    """Return what is asked for by a job of ``steps`` steps of some ten milliseconds on the tiny model of four classes:
    without ``L_deep``, which would take as long again."""
    body: dict[str, Any] = {
        "forget": [{"concept": "red", "override": "green"}],
        "budget": {"images": steps * 8},
        "evaluation": {"images_per_concept": 20, "images_per_forgotten_concept": 20},
        "recipe": {"batch": 8, "forgotten_share": 0.25, "evaluate_every": 100, "deep_weight": 0},
    }
    return body | fields


def submitted(store: JobStore, model: BaseModel, steps: int = 5, **fields: Any) -> Job:
    """Submit a job as :func:`body_of` has it."""
    request = admit(body_of(steps, **fields), model).request
    needed = memory_needed(model, request.recipe)
    return store.create(NewJob("default", written(request), model.name, model.digest, memory_bytes=needed))[0]


def script(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """Have ``lines`` of Python be the training process of every attempt; see :data:`TOLD`."""

    @contextmanager
    def scripted(folder: Path, forks: ForkServer | None) -> Iterator[Talking]:
        child = start_talking([sys.executable, "-c", TOLD + "\n".join(lines), str(folder)], folder / "stderr.log")
        try:
            yield child
        finally:
            child.close()

    monkeypatch.setattr(module, "training_process", scripted)
