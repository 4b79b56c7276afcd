"""A report's parts by their types. Plain: does not import torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
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


class PartsOnDemand(Parts):
    """The parts by type, each measured when it is first asked for: criteria look at few of those that a report holds,
    and a run that checks itself has no use for the others. ``measures``: what measures each."""

    def __init__(self, measures: Mapping[type[Any], Callable[[], Any]]) -> None:
        self.measures = measures
        self.measured: dict[type[Any], Any] = {}

    @cached_property
    def found(self) -> tuple[Any, ...]:  # type: ignore[override]
        """All of them."""
        return tuple(self.of(kind) for kind in self.measures)

    def of(self, kind: type[T]) -> T:
        """Return the part of this type, as :class:`Parts` does."""
        if kind not in self.measures:
            raise LookupError(f"no section brings a {kind.__name__}")
        if kind not in self.measured:
            self.measured[kind] = self.measures[kind]()
        found: T = self.measured[kind]
        return found


def part(report: object, kind: type[T]) -> T:
    """Return ``report`` seen as the part of one section, whose fields it has among its own.

    Raises:
        TypeError: it is no report, or that section is not installed.
    """
    if not isinstance(report, kind):
        raise TypeError(f"a {type(report).__name__} without a {kind.__name__}")
    return report
