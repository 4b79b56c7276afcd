"""Imports a checkpoint in this process, which takes bounded memory and time for it: ``python -m sfd_core.importing``,
with what is asked as JSON on its standard input. :mod:`sfd_core.importing.apart` starts it."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from sfd_core.errors import ModelRefused
from sfd_core.importing.apart import REFUSED
from sfd_core.importing.bounds import bound
from sfd_core.importing.importer import import_checkpoint
from sfd_core.importing.layout import Choices


def main() -> int:
    """Import what standard input asks for; what came of it is JSON on standard output."""
    asked = json.load(sys.stdin)
    path = Path(asked["path"])
    bound(path.stat().st_size if path.is_file() else 0)
    try:
        imported = import_checkpoint(
            path,
            Path(asked["out"]) if asked["out"] else None,
            Path(asked["base"]) if asked["base"] else None,
            Choices(**asked["choices"]),
        )
    except ModelRefused as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED
    except MemoryError:
        sys.stderr.write(f"{path}: takes more memory than a checkpoint of its size can need\n")
        return REFUSED
    json.dump(dataclasses.asdict(imported), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
