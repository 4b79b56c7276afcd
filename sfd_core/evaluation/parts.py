"""A report's parts by their types. Plain: does not import torch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

T = TypeVar("T")


class Parts:
    """The parts that the sections measured, by type."""

    def __init__(self, found: Iterable[Any]) -> None:
        self.found = tuple(found)

    def of(self, kind: type[T]) -> T:
        """Return the part of this type.

        Raises:
            LookupError: no section brings it.
        """
        for one in self.found:
            if isinstance(one, kind):
                return one
        raise LookupError(f"no section brings a {kind.__name__}")


def part(report: object, kind: type[T]) -> T:
    """Return ``report`` seen as the part of one section, whose fields it has among its own.

    Raises:
        TypeError: it is no report, or that section is not installed.
    """
    if not isinstance(report, kind):
        raise TypeError(f"a {type(report).__name__} without a {kind.__name__}")
    return report
