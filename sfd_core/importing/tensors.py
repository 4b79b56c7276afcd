"""Tensors of a checkpoint: the numbers that lie in the file, and how a pickle says that they are cut. Every size is
held against the bytes that there are before memory is taken for it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from sfd_core.errors import ModelRefused
from sfd_core.importing.inert import Name, PersistentId, Record
from sfd_core.importing.names import PARAMETER, STORAGE_BYTES, STORAGES, TENSOR

MAX_DIMENSIONS = 8


def dtype_of(storage: object, at: str) -> torch.dtype:
    """Return the type of numbers that a storage's name stands for.

    Raises:
        ModelRefused: for what is no name of a storage.
    """
    if not isinstance(storage, Name) or storage.path not in STORAGES:
        raise ModelRefused(f"{at}: a tensor's storage is none of {', '.join(sorted(STORAGES))}")
    dtype: torch.dtype = getattr(torch, STORAGES[storage.path])
    return dtype


def declared(found: PersistentId, at: str) -> tuple[torch.dtype, str, int]:
    """Return the type of numbers, the key and the length that a persistent id declares.

    Raises:
        ModelRefused: for an id that is no storage's as torch writes it.
    """
    value = found.value
    if not isinstance(value, tuple) or len(value) not in (5, 6) or value[0] != "storage":
        raise ModelRefused(f"{at}: refers to something outside of it that is no storage of numbers, as torch writes it")
    _, kind, key, _, length = value[:5]
    if not isinstance(key, str) or not is_count(length) or (len(value) == 6 and value[5] is not None):
        raise ModelRefused(f"{at}: a storage has no key, no length, or is a view of another")
    return dtype_of(kind, at), key, length


def numbers(data: memoryview, dtype: torch.dtype, length: int, what: str) -> Tensor:
    """Return the ``length`` numbers of this type that ``data`` is, copied. ``what``: names them in a message.

    Raises:
        ModelRefused: where ``data`` is longer or shorter.
    """
    if length * dtype.itemsize != len(data):
        raise ModelRefused(f"{what} says that it has {length} numbers of {dtype}, and there are {len(data)} bytes")
    if not length:
        return torch.empty(0, dtype=dtype)
    return torch.frombuffer(bytearray(data), dtype=dtype)


def made(record: Record, at: str) -> Any:
    """Return the tensor that ``record`` describes, or the record where it describes none.

    Raises:
        ModelRefused: for a tensor that is not cut from its numbers as torch does it.
    """
    if record.kind == STORAGE_BYTES:
        raise ModelRefused(f"{at}: has numbers that are a file within it, as bare pickles alone have them")
    if record.kind == PARAMETER:
        if not record.arguments or not isinstance(record.arguments[0], Tensor):
            raise ModelRefused(f"{at}: a parameter is made of what is no tensor")
        return record.arguments[0]
    return _cut(record.arguments, at) if record.kind == TENSOR else record


def _cut(arguments: tuple[Any, ...], at: str) -> Tensor:
    if len(arguments) < 4 or not isinstance(arguments[0], Tensor):
        raise ModelRefused(f"{at}: a tensor is made of what are no numbers")
    storage, offset, size, stride = arguments[:4]
    if not is_count(offset) or not _are_counts(size) or not _are_counts(stride) or len(size) != len(stride):
        raise ModelRefused(f"{at}: a tensor's offset, size or stride is none")
    most, last = storage.numel(), offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if math.prod(size) > most or (math.prod(size) and last >= most):
        raise ModelRefused(f"{at}: a tensor of size {list(size)} is cut from {most} numbers, which do not suffice")
    return torch.as_strided(storage, size, stride, offset)


def is_count(value: object) -> bool:
    """Say whether ``value`` counts something: whole, not below 0, in 64 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def _are_counts(value: object) -> bool:
    return isinstance(value, tuple) and len(value) <= MAX_DIMENSIONS and all(is_count(n) for n in value)
