"""A checkpoint of somebody else's, imported in a process of its own: whatever is in it, it takes bounded memory and
time, and nothing of ours is lost with it. Plain: does not import torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from sfd_core.errors import ModelRefused

REFUSED = 3
"""How the process ends where it refuses, in words on its standard error."""


def import_apart(path: Path, out: Path | None, base: Path | None, choices: dict[str, Any]) -> dict[str, Any]:
    """Import ``path`` as :func:`sfd_core.importing.importer.import_checkpoint` does, and return the fields of its
    ``Imported``. ``choices``: those of ``Choices``.

    Raises:
        ModelRefused: as that does, and where the process ended before it was done.
    """
    asked = {"path": str(path), "out": str(out) if out else None, "base": str(base) if base else None}
    done = subprocess.run(
        # -P: what lies in the folder that it is called from is not imported
        [sys.executable, "-P", "-m", "sfd_core.importing"],
        input=json.dumps({**asked, "choices": choices}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        result: dict[str, Any] = json.loads(done.stdout)
        return result
    said = done.stderr.strip().splitlines()
    if done.returncode == REFUSED:
        raise ModelRefused(said[-1] if said else f"{path}: refused")
    raise ModelRefused(
        f"{path}: the process that read it ended before it was done ({_end(done.returncode)}): "
        f"{said[-1] if said else 'it took more memory or time than a checkpoint of its size can need'}"
    )


def _end(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
