"""Where a command writes: rich on a terminal, plain and wide enough for every column anywhere else."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from rich.console import Console

PLAIN_WIDTH = 160


def console(*, stderr: bool = False) -> Console:
    """Make a console on stdout, or on stderr where stdout is for programs."""
    stream = sys.stderr if stderr else sys.stdout
    wide = None if stream.isatty() or "COLUMNS" in os.environ else PLAIN_WIDTH
    return Console(stderr=stderr, width=wide)


def say(console: Console, text: str) -> None:
    """Print a line of text as it is: no markup, no colours, no line breaks of its own."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """Print one document on one line of stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
    sys.stdout.flush()
