"""Python that cannot import our code: what whoever downloads a published generator has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np


def run_without_our_code(code: str, folder: Path) -> None:
    """Run ``code`` in a process of its own, in ``folder``, in which the installed packages are all but ours."""
    # Our code is importable by a .pth file in site-packages: with -S none is read, and the packages themselves are put
    # on the path by hand.
    packages = Path(np.__file__).parents[1]
    begin = f"import importlib.util, sys; sys.path.insert(0, {str(packages)!r})\n"
    alone = 'assert importlib.util.find_spec("sfd_core") is None\n'
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", begin + alone + code],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
