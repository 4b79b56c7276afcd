"""The shapes of a file's weights, from its header. Plain: the safetensors library imports numpy, which the service that
takes jobs does not have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MAX_HEADER_BYTES = 100_000_000
"""As the safetensors library bounds it."""


def weight_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Read the shape of every weight by name from the header of a safetensors file: eight bytes that say its length,
    little end first, then JSON.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no safetensors file.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > MAX_HEADER_BYTES:
            raise ValueError(f"{path}: its header would have {length} bytes, must have at most {MAX_HEADER_BYTES}")
        try:
            header: dict[str, Any] = json.loads(file.read(length))
            return {name: tuple(map(int, said["shape"])) for name, said in header.items() if name != "__metadata__"}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise ValueError(f"{path}: not a readable safetensors file") from None
