"""What the launcher says of processes that ended, and what it refuses to start. Real ones: tests/faults."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
import torch

from worker import launch as module
from worker.causes import Cause
from worker.launch import launch
from worker.task import Task


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        ({1: -9, 0: -15}, "of 4 training processes ended number 2 with signal 9"),
        ({2: 1, 1: -9, 3: -15}, "of 4 training processes ended number 2 with signal 9, number 3 with exit status 1"),
        ({3: -15}, "of 4 training processes ended number 4 with signal 15"),
    ],
)
def test_those_that_failed_are_named_and_not_those_that_were_ended_for_it(ended: dict[int, int], said: str) -> None:
    assert module.cause_of_ends(ended, 4, killed_for_memory=False) == Cause("training_crashed", said)


def test_a_process_that_the_kernel_killed_for_its_memory_is_named_as_one() -> None:
    assert module.cause_of_ends({1: -9, 0: -15}, 2, killed_for_memory=True).code == "out_of_memory"
    assert module.cause_of_ends({1: -11, 0: -15}, 2, killed_for_memory=True).code == "training_crashed"


def test_more_gpus_than_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    task = Task({}, "model", "checkpoints", [], 10, "cuda", 1, gpus=4)
    assert launch(task, tmp_path, threading.Event()) == 1
    event = json.loads(capsys.readouterr().out)
    assert event["code"] == "internal"
    assert event["message"] == "LETHE_GPUS is 4, and this worker's machine has 2 GPUs"
    assert not any(tmp_path.iterdir()), "something was started"


def test_processes_find_each_other_without_a_port_that_others_reach() -> None:
    environment = module._environment(1, 2)
    assert (environment["RANK"], environment["LOCAL_RANK"], environment["WORLD_SIZE"]) == ("1", "1", "2")
    assert environment["GLOO_SOCKET_IFNAME"] == environment["NCCL_SOCKET_IFNAME"] in ("lo", "lo0")
