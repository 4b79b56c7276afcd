"""What one of several processes is started as. Real ones: tests/faults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sfd_core.training.ranks import ProcessGroup
from sfd_core.training.sharding import ShardedGroup
from worker import rank_process as module
from worker.task import Task


@pytest.mark.parametrize(("shard", "group"), [(False, ProcessGroup), (True, ShardedGroup)])
def test_processes_hold_shards_where_the_task_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shard: bool, group: type[ProcessGroup]
) -> None:
    Task({}, "model", "checkpoints", [], 10, "cpu", 1, gpus=1, shard=shard).write(tmp_path)
    made: list[Any] = []

    def run(task: Task, folder: Path, stop: Any, ranks: ProcessGroup) -> int:
        made.append(type(ranks))
        ranks.leave()
        return 7

    monkeypatch.setattr(module, "run", run)
    monkeypatch.setattr(module, "end_with_the_runner", lambda: None)
    monkeypatch.setattr(module.signal, "signal", lambda number, handler: None)
    assert module.main(tmp_path, 0, 1) == 7
    assert made == [group]
