"""Values of a configuration, asked for one by one: what is wrong with any of them is told with all the others. Plain:
importing this does not import torch."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sfd_core.errors import ModelRefused

_REQUIRED = object()
MAX_NUMBER = 1 << 20
"""No number in the configuration of a network that is read comes near it."""
MAX_LIST = 64
MAX_LAYERS = 256
_LAYERS = frozenset(
    {
        "layers_per_block",
        "transformer_layers_per_block",
        "reverse_transformer_layers_per_block",
        "num_hidden_layers",
        "num_layers",
        "depths",
    }
)
"""Fields that say how many modules there are."""


class Checked:
    """The values of ``config``. ``faults``: what was wrong with those asked for so far, in the order asked."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.faults: list[str] = []
        self._asked: set[str] = set()

    def value(self, name: str, right: Callable[[Any], bool], must: str, default: Any = _REQUIRED) -> Any:
        """Return the value at ``name``, or ``default`` where there is none; a fault unless it is ``right``. ``must``:
        what would be, in words."""
        self._asked.add(name)
        value = self.config.get(name, default)
        if value is _REQUIRED:
            self.faults.append(f"{name} is missing, must {must}")
            return None
        if not right(value):
            self.faults.append(f"{name} is {shown(value)}, must {must}")
        return value

    def whole(self, name: str, low: int, high: int, default: Any = _REQUIRED) -> Any:
        """Return a whole number from ``low`` to ``high``; true and 1.0 are none."""
        return self.value(name, lambda v: is_whole(v) and low <= v <= high, f"be {low} to {high}, whole", default)

    def positive(self, name: str, default: Any = _REQUIRED) -> Any:
        """Return a finite number above 0."""
        return self.value(name, lambda v: is_number(v) and 0 < v < math.inf, "be a finite number above 0", default)

    def flag(self, name: str, default: bool) -> Any:
        """Return true or false."""
        return self.value(name, lambda v: isinstance(v, bool), "be true or false", default)

    def unset(self, name: str, why: str) -> None:
        """Hold that nothing is said at ``name``. ``why``: what the reason is."""
        self.value(name, lambda v: v is None, f"be null: {why}", None)

    def sizes(self) -> None:
        """Hold every other value to what a network may have, before one is built from it: its modules alone, without a
        weight, would fill the memory."""
        for name, value in self.config.items():
            if name in self._asked:
                continue
            most = MAX_LAYERS if name in _LAYERS else MAX_NUMBER
            longest = max(map(len, _lists(value)), default=0)
            if not all(-most <= number <= most for number in _numbers(value)):
                self.faults.append(f"{name} is {shown(value)}, must be finite and at most {most}")
            if longest > MAX_LIST:
                self.faults.append(f"{name} has {longest} entries, must have at most {MAX_LIST}")

    def refuse(self, path: Path) -> None:
        """Raise ``ModelRefused`` with every fault, if there is one. ``path``: the file that the values are of."""
        if self.faults:
            raise ModelRefused(f"{path}: {'; '.join(self.faults)}")


def check_all(*checks: Callable[[], object]) -> None:
    """Make every check, of a file each, whichever refuse.

    Raises:
        ModelRefused: with all that the checks refuse.
    """
    refused = []
    for check in checks:
        try:
            check()
        except ModelRefused as error:
            refused.append(str(error))
    if refused:
        raise ModelRefused("; ".join(refused))


def is_whole(value: object) -> bool:
    """Say whether ``value`` is an integer; JSON's true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: object) -> bool:
    """Say whether ``value`` is a number, NaN and infinity among them; JSON's true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def shown(value: object) -> str:
    """Return ``value`` as a message shows it: a long one is cut."""
    return reprlib.repr(value)


def check_sizes(path: Path, config: Mapping[str, Any]) -> None:
    """Refuse sizes that no network has, as :meth:`Checked.sizes`.

    Raises:
        ModelRefused: naming the file and each value.
    """
    checked = Checked(config)
    checked.sizes()
    checked.refuse(path)


def _numbers(value: object) -> Iterator[int | float]:
    """Every number in ``value``, however deep in lists."""
    if isinstance(value, list):
        for one in value:
            yield from _numbers(one)
    elif isinstance(value, int | float):
        yield value


def _lists(value: object) -> Iterator[list[Any]]:
    """Every list in ``value``, itself among them."""
    if isinstance(value, list):
        yield value
        for one in value:
            yield from _lists(one)
