"""``lethe up``: the service stays until it is asked to stop. (What happens to it meanwhile: tests/local.)"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from client import Lethe
from tests.cli.conftest import Command
from tests.cli.service import write_manifest


@pytest.mark.slow
def test_up_until_sigterm(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    write_manifest(tmp_path / "models" / "fashion")
    given = {name: value for name, value in os.environ.items() if not name.startswith("LETHE_")}
    up = subprocess.Popen(
        [sys.executable, "-m", "cli", "up", "--port", "0", "--data-dir", str(tmp_path / "data")],
        env={**given, "LETHE_BUNDLED_MODELS_DIR": str(tmp_path / "models")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert up.stdout is not None
    said = up.stdout.readline()
    assert said.startswith("Lethe is at http://127.0.0.1:"), said
    with Lethe(said.split()[3]) as lethe:
        assert [model.name for model in lethe.base_models()] == ["fashion"]
    up.send_signal(signal.SIGTERM)
    assert up.wait(90) == 0


def test_what_is_refused(tmp_path: Path) -> None:
    public = Command({"LETHE_HOST": "0.0.0.0", "LETHE_DATA_DIR": str(tmp_path)})("up")
    assert (public.exit_code, public.stdout) == (2, "")
    assert "LETHE_AUTH=keys" in public.stderr
    (tmp_path / "file").touch()
    folder = Command({})("up", "--port", "0", "--data-dir", str(tmp_path / "file"))
    assert (folder.exit_code, folder.stdout) == (2, "")
    assert "is not a folder: set LETHE_DATA_DIR to one" in folder.stderr
