"""Tensors of 16-bit whole numbers of a safetensors file, without numpy or torch, which an API that lists models does
not have."""

from __future__ import annotations

import json
import struct
import sys
from array import array
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

LONGEST_HEADER = 10_000_000


def whole_numbers(path: Path, names: Collection[str]) -> Mapping[str, Sequence[int]]:
    """Read those of ``names`` that the file has, each a tensor of one dimension and of type I16.

    Raises:
        OSError: where the file cannot be read.
        ValueError: for a file that is no safetensors file, or a tensor of another kind.
    """
    found: dict[str, Sequence[int]] = {}
    if not path.is_file():
        raise OSError(f"{path}: not a plain file")
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= LONGEST_HEADER:
            raise ValueError(f"{path}: no safetensors file")
        try:
            header = json.loads(file.read(length))
        except RecursionError:
            raise ValueError(f"{path}: no safetensors file") from None
        if not isinstance(header, dict):
            raise ValueError(f"{path}: no safetensors file")
        for name in names:
            if (said := header.get(name)) is None:
                continue
            try:
                kind, (n,), (begin, end) = said["dtype"], said["shape"], said["data_offsets"]
            except (KeyError, TypeError, ValueError):
                raise ValueError(f"{path}: {name} is no tensor of one dimension") from None
            if not all(isinstance(number, int) and 0 <= number <= size for number in (n, begin, end)):
                raise ValueError(f"{path}: {name} does not lie in the file")
            if kind != "I16" or end - begin != 2 * n:
                raise ValueError(f"{path}: {name} is no tensor of 16-bit whole numbers")
            file.seek(8 + length + begin)
            values = array("h", file.read(2 * n))
            if len(values) != n:
                raise ValueError(f"{path}: {name} ends too early")
            if sys.byteorder == "big":
                values.byteswap()
            found[name] = values
    return found
