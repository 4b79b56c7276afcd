"""The scripts of ``models/emoji`` as modules. They import each other by bare names, as scripts of one folder do, and
some names are those of ``models/fashion`` too: so they are imported apart, and nothing of that is left behind."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

EMOJI = Path(__file__).resolve().parents[2] / "models/emoji"


def emoji_script(name: str) -> ModuleType:
    """The module of ``models/emoji/<name>.py``."""
    names = [path.stem for path in EMOJI.glob("*.py")]
    others = {known: sys.modules.pop(known) for known in names if known in sys.modules}
    sys.path.insert(0, str(EMOJI))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(EMOJI))
        for known in names:
            sys.modules.pop(known, None)
        sys.modules.update(others)
