"""Finds what each module of a package brings: a section, a criterion, a probe, a kind of override. Plain: does not
import torch."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Protocol, TypeVar


class Placed(Protocol):
    """A thing with a place among its kind on a page: the smallest comes first."""

    @property
    def place(self) -> int: ...


T = TypeVar("T", bound=Placed)


def discover(package: str, attribute: str, kind: type[T]) -> tuple[T, ...]:
    """Find the ``attribute`` of every module in ``package``, by their places.

    Raises:
        TypeError: for a module without it, or with something of another kind.
    """
    found: list[T] = []
    for info in pkgutil.iter_modules(importlib.import_module(package).__path__):
        module = importlib.import_module(f"{package}.{info.name}")
        one = getattr(module, attribute, None)
        if not isinstance(one, kind):
            raise TypeError(f"{module.__name__} must define {attribute}: {kind.__name__}")
        found.append(one)
    return tuple(sorted(found, key=lambda one: one.place))
