"""What a worker says of its device: asked by a process of its own, shared with others, divided among processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from jobs.settings import SettingsError, load_settings
from processes.machine_memory import machine_memory
from worker import device as module
from worker.device import Device, device_of
from worker.device_process import main

GPU = ("NVIDIA H100 80GB HBM3", 80_000)


def found(tmp_path: Path, **settings: Any) -> Device:
    return device_of(load_settings({"data_dir": tmp_path, **settings}))


def test_a_cpu_has_the_machines_memory(tmp_path: Path) -> None:
    whole = machine_memory()
    assert found(tmp_path, device="cpu") == Device("CPU", whole)
    assert found(tmp_path, device="cpu", workers="2").memory_bytes == whole // 2
    assert found(tmp_path, device="cpu", gpus=4).memory_bytes == whole // 4, "each process holds all that is trained"
    assert found(tmp_path, device="cpu", gpus=4, shard=True).memory_bytes == whole // 4 * 4


def test_a_cpu_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(module, "_asked")
    assert found(tmp_path, device="cpu").name == "CPU"
    with pytest.raises(NameError):
        found(tmp_path, device="auto")


def test_a_gpu_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_asked", lambda settings: GPU)
    assert found(tmp_path) == Device(*GPU)
    assert found(tmp_path, gpus=4).memory_bytes == 80_000, "each GPU holds all that is trained"
    assert found(tmp_path, gpus=4, shard=True).memory_bytes == 320_000
    assert found(tmp_path, workers="2").memory_bytes == 40_000
    assert found(tmp_path, workers="2", memory_bytes=30_000).memory_bytes == 30_000, "as it is said"


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_process_answers(tmp_path: Path) -> None:
    assert found(tmp_path, device="auto") == Device("CPU", machine_memory())
    with pytest.raises(SettingsError, match=r"LETHE_DEVICE=cuda:1: .*CUDA"):
        found(tmp_path, device="cuda:1")
    with pytest.raises(SettingsError, match=r"LETHE_DEVICE=gpu: .*gpu"):
        found(tmp_path, device="gpu")


def test_one_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ASK_SECONDS", 0.001)
    with pytest.raises(SettingsError, match=r"LETHE_DEVICE=auto: it did not answer within 0.001 s"):
        found(tmp_path)


@pytest.mark.parametrize(
    ("wanted", "gpus", "memory"), [("cuda", 1, 80), ("cuda:1", 1, 24), ("cuda", 2, 24), ("cuda", 8, 24)]
)
def test_several_gpus_have_what_the_smallest_has(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wanted: str, gpus: int, memory: int
) -> None:
    class Properties:
        def __init__(self, number: int) -> None:
            self.name, self.total_memory = f"GPU {number}", (80, 24)[number]

    def properties(which: Any) -> Properties:
        return Properties(which if isinstance(which, int) else which.index or 0)

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_properties", properties)
    main(wanted, gpus)
    assert f'"memory_bytes": {memory}}}' in capsys.readouterr().out


def test_a_worker_that_trains_imports_no_torch() -> None:
    imports = "import sys, worker.main; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", imports]).returncode == 0
