"""What a runner asks an attempt for. Whole runs: tests/faults."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jobs.settings import load_settings
from tests.support.tiny_model import make_tiny_model
from worker.runner import Attempt
from worker.task import Task


@pytest.mark.parametrize("shard", [False, True])
def test_the_task_says_how_many_gpus_train_it_and_whether_each_holds_shards(tmp_path: Path, shard: bool) -> None:
    settings = load_settings({"work_dir": tmp_path, "gpus": 4, "shard": shard})
    runner: Any = SimpleNamespace(settings=settings, store=None)
    claim: Any = SimpleNamespace(job=SimpleNamespace(id="a", request={}), attempt=1)
    attempt = Attempt(runner, claim)
    attempt._write_task(make_tiny_model(tmp_path / "model"), {})
    task = Task.read(attempt.folder)
    assert (task.gpus, task.shard) == (4, shard)
