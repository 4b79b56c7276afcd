"""The process that reads a checkpoint: its bounds, and how its end is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sfd_core.errors import ModelRefused
from sfd_core.importing import apart
from sfd_core.importing.apart import import_apart

CHOICES = {"moving_average": True, "size": None}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            r"before it was done \(signal 9\): it took more",
        ),
        ("import sys; sys.stderr.write('one\\ntwo\\n'); sys.exit(1)", r"before it was done \(exit code 1\): two"),
        ("import sys; sys.stderr.write('a.pth: refused\\n'); sys.exit(3)", r"^a\.pth: refused$"),
        ("import sys; sys.exit(3)", r"a\.pth: refused$"),
    ],
)
def test_how_it_ended_is_said(monkeypatch: pytest.MonkeyPatch, line: str, said: str) -> None:
    ran = subprocess.run

    def instead(command: list[str], **given: object) -> subprocess.CompletedProcess[str]:
        assert command[1:] == ["-P", "-m", "sfd_core.importing"]
        return ran([sys.executable, "-c", line], **given)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(apart.subprocess, "run", instead)
    with pytest.raises(ModelRefused, match=said):
        import_apart(Path("a.pth"), None, None, CHOICES)


def test_it_takes_bounded_memory() -> None:
    """The bound itself, in a process that then asks for more than a file of no bytes can need."""
    program = """
import resource
from sfd_core.importing.bounds import bound

bound(0)
try:
    bytearray(4 << 30)
except MemoryError:
    print("refused", *(resource.getrlimit(what)[0] for what in (resource.RLIMIT_CPU, resource.RLIMIT_CORE)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["refused", "600", "0"]


def test_importing_it_brings_no_torch() -> None:
    program = "import sys, sfd_core.importing.apart, sfd_core.importing.bounds; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
