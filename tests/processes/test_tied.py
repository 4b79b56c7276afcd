"""The wrapper that ties a child to its parent."""

from __future__ import annotations

import os
import subprocess
import sys

CHILD = [sys.executable, "-P", "-m", "processes.tied"]


def test_becomes_the_program_with_its_arguments() -> None:
    code = "import sys; print(sys.argv[1:]); sys.exit(7)"
    done = subprocess.run(
        [*CHILD, str(os.getpid()), sys.executable, "-c", code, "a b", "--c"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (7, "['a b', '--c']\n")


def test_does_not_start_what_its_parent_would_not_live_to_see() -> None:
    done = subprocess.run([*CHILD, "1", sys.executable, "-c", "print('started')"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
