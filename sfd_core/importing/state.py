"""State dicts out of what a checkpoint describes: as they were saved, or of a network that was pickled whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from sfd_core.errors import ModelRefused
from sfd_core.importing.inert import Record
from sfd_core.importing.names import PERSISTENT_CLASS

MAX_MODULES = 100_000


def is_state_dict(value: object) -> bool:
    """Say whether ``value`` is a state dict: tensors by name, one at least."""
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in value.items())
    )


def weights_of(value: dict[str, Tensor], what: str) -> dict[str, Tensor]:
    """Return the state dict ``value`` without the prefix that parallel training adds, every weight on its own memory.

    Raises:
        ModelRefused: naming the weight that is more than the numbers that there are for it, or not finite.
    """
    found = {}
    for name, tensor in value.items():
        key = name.removeprefix("module.")
        plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
        if not plain or tensor.numel() * tensor.itemsize > tensor.untyped_storage().nbytes():
            raise ModelRefused(f"{what}: {name!a} is no plain tensor, or larger than the numbers that there are for it")
        if key in found:
            raise ModelRefused(f"{what}: has {key!a} twice")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ModelRefused(f"{what}: {name!a} holds NaN or infinite weights")
        found[key] = tensor.detach().clone(memory_format=torch.contiguous_format)
    return found


def attributes(record: Record) -> dict[Any, Any]:
    """Return the attributes of an object as a pickle has them; none where it has no such."""
    state = record.state
    if record.kind == PERSISTENT_CLASS and len(record.arguments) == 1 and isinstance(record.arguments[0], dict):
        state = record.arguments[0].get("state")  # beside its class's source, which nobody reads
    return state if isinstance(state, dict) else {}


def class_of(record: Record) -> str:
    """Return the name of an object's class, without where it is from."""
    if record.kind == PERSISTENT_CLASS and len(record.arguments) == 1 and isinstance(record.arguments[0], dict):
        return str(record.arguments[0].get("class_name"))
    return record.kind.rpartition(".")[2]


def shape_of(weights: dict[str, Tensor], name: str, dimensions: int, what: str) -> tuple[int, ...]:
    """Return the shape of the weight ``name``.

    Raises:
        ModelRefused: where there is none of so many ``dimensions``.
    """
    if name not in weights or weights[name].ndim != dimensions:
        raise ModelRefused(f"{what}: has no {name} of {dimensions} dimensions, which a network of this kind has")
    return tuple(weights[name].shape)


def modules_of(root: Record, what: str) -> Iterator[tuple[str, Record]]:
    """Yield a module of torch that was pickled whole and all within it, each behind the prefix of its weights' names.

    Raises:
        ModelRefused: for what is no module, or one that holds itself.
    """
    waiting, seen = [("", root)], 0
    while waiting:
        prefix, module = waiting.pop()
        seen += 1
        parts = [attributes(module).get(name) for name in ("_parameters", "_buffers", "_modules")]
        if seen > MAX_MODULES or len(prefix) > 1000 or not all(isinstance(part, dict) for part in parts):
            raise ModelRefused(
                f"{what}: {ascii(prefix) if prefix else 'it'} is no module of torch, or there are too many"
            )
        yield prefix, module
        for name, inner in parts[2].items():  # type: ignore[union-attr]
            if isinstance(inner, Record):
                waiting.append((f"{prefix}{name}.", inner))


def module_state(root: Record, what: str) -> dict[str, Tensor]:
    """Return the state dict of a module of torch that was pickled whole: its parameters and the buffers that are saved.

    Raises:
        ModelRefused: as :func:`modules_of`.
    """
    found: dict[str, Tensor] = {}
    for prefix, module in modules_of(root, what):
        own = attributes(module)
        transient = own.get("_non_persistent_buffers_set")
        saved = ((own["_parameters"], ()), (own["_buffers"], transient if isinstance(transient, set) else ()))
        for values, left_out in saved:
            for name, tensor in values.items():
                if isinstance(tensor, Tensor) and name not in left_out:
                    found[f"{prefix}{name}"] = tensor
    return found
