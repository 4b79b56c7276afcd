"""An ONNX file written by hand, for there is no package here that writes one: a detector whose every score is the
image's mean times a constant."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    value = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _tensor(name: str, values: NDArray[np.generic]) -> bytes:
    kind = 1 if values.dtype == np.float32 else 7
    dims = b"".join(_number(1, n) for n in values.shape)
    return dims + _number(2, kind) + _bytes(8, name) + _bytes(9, values.tobytes())


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    dims = b"".join(_bytes(1, _number(1, n)) for n in shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, 1) + _bytes(2, dims)))


def _node(kind: str, inputs: list[str], output: str, attributes: bytes = b"") -> bytes:
    return b"".join(_bytes(1, name) for name in inputs) + _bytes(2, output) + _bytes(4, kind) + attributes


def detector(scales: NDArray[np.float32], fixed: NDArray[np.float32]) -> bytes:
    """A network from an image [1, 3, 320, 320] to its mean times ``scales`` plus ``fixed``, both [1, 22, boxes]."""
    axes = _bytes(5, _bytes(1, "keepdims") + _number(3, 1) + _number(20, 2))
    nodes = [
        _node("ReduceMean", ["images"], "mean", axes),
        _node("Reshape", ["mean", "shape"], "flat"),
        _node("Mul", ["flat", "scales"], "scaled"),
        _node("Add", ["scaled", "fixed"], "answers"),
    ]
    held = [("shape", np.array([1, 1, 1], np.int64)), ("scales", scales), ("fixed", fixed)]
    graph = b"".join(_bytes(1, node) for node in nodes) + _bytes(2, "detector")
    graph += b"".join(_bytes(5, _tensor(name, values)) for name, values in held)
    graph += _bytes(11, _value("images", (1, 3, 320, 320))) + _bytes(12, _value("answers", scales.shape))
    assert struct.calcsize("f") == scales.itemsize
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, "") + _number(2, 13))
