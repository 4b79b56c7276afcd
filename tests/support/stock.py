"""The stock schedulers of the installed diffusers, those among them whose own requirements are not installed."""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import diffusers.schedulers

FOLDER = Path(diffusers.schedulers.__file__).parent


@cache
def modules() -> dict[str, str]:
    """The module of every scheduler's class."""
    return {
        name: path.stem
        for path in sorted(FOLDER.glob("scheduling_*.py"))
        for name in re.findall(r"^class (\w+Scheduler)\(", path.read_text("utf-8"), re.MULTILINE)
    }


@cache
def stock_scheduler(name: str) -> Any:
    """The class. What it imports to sample by is not needed to make a schedule, and may be missing."""
    missing = {} if "torchsde" in sys.modules else {"torchsde": ModuleType("torchsde")}
    with patch.dict(sys.modules, missing):
        return getattr(import_module(f"diffusers.schedulers.{modules()[name]}"), name)
