"""``lethe demo`` where it cannot pass: it says why, keeps the logs, and leaves nothing running and no data.

The demonstration that passes takes minutes: it is `make demo`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.cli.service import write_manifest
from tests.support.waiting import wait_for

LAST = {"job", "verdict", "unlearning_accuracy", "retained_accuracy", "base_model_retained_accuracy", "seconds"}


def start(tmp_path: Path) -> subprocess.Popen[str]:
    """The demonstration on a base model without weights, with an environment that points elsewhere."""
    write_manifest(tmp_path / "models" / "fashion")
    (tmp_path / "tmp").mkdir()
    environment = {
        **os.environ,
        "LETHE_BUNDLED_MODELS_DIR": str(tmp_path / "models"),
        "LETHE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/production",
        "LETHE_BROKER_URL": "redis://127.0.0.1:1/0",
        "LETHE_ARTIFACTS_URL": "s3://production/lethe",
        "LETHE_URL": "http://127.0.0.1:1",
        "LETHE_API_KEY": "lethe_production",
        "LETHE_AUTH": "keys",
        "TMPDIR": str(tmp_path / "tmp"),
    }
    command = [sys.executable, "-m", "cli", "demo", "--out", str(tmp_path / "out")]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The process and everything that it has started."""
    root = psutil.Process(process.pid)
    return [root, *root.children(recursive=True)]


def data(tmp_path: Path) -> list[str]:
    """What is left where the demonstration keeps its data (torch leaves a folder of its own)."""
    return sorted(path.name for path in (tmp_path / "tmp").glob("lethe-*"))


@pytest.mark.slow
def test_a_job_that_fails(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    demo = start(tmp_path)
    stdout, stderr = demo.communicate(timeout=240)
    assert demo.returncode == 1, stderr
    *lines, last = stdout.splitlines()
    outcome = json.loads(last)
    assert set(outcome) == LAST
    assert outcome["verdict"] is None
    assert any(line.startswith(f"{outcome['job']}: failed with model_refused: ") for line in lines)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["logs"]
    assert (tmp_path / "out" / "logs" / "worker.log").stat().st_size > 0
    assert data(tmp_path) == []


@pytest.mark.slow
def test_a_demonstration_that_is_terminated(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    demo = start(tmp_path)
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.startswith("submitted "):
            break
    processes = family(demo)
    assert len(processes) > 5
    demo.send_signal(signal.SIGTERM)
    assert demo.wait(90) == 128 + signal.SIGTERM
    wait_for(lambda: not any(process.is_running() for process in processes))
    assert data(tmp_path) == []
