"""What a published benchmark is: its data and weights, what is asked, and the figures it gives. Plain: does not import
torch."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sfd_core.errors import ModelRefused
from sfd_core.evaluation.intervals import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


TRIAL_SEED = 0
"""By which the images of a trial are chosen."""


@dataclass(frozen=True)
class Source:
    """A paper that defines something: ``title`` with its year, and where it is."""

    title: str
    at: str


@dataclass(frozen=True)
class Entry:
    """A part of a folder that a user names: ``path`` in it, and what it holds. ``optional``: figures that need it are
    left out without it."""

    path: str
    holds: str
    optional: bool = False


@dataclass(frozen=True)
class Ask:
    """One image that a benchmark asks for. ``guidance``: as its table says, for a generator that is guided; ``groups``:
    what the benchmark counts it as, by kind."""

    prompt: str
    seed: int
    guidance: float | None = None
    groups: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """The folders and names that a user gives: those of data and weights, what should be forgotten, and the device."""

    data: Path
    weights: Path
    forgotten: tuple[str, ...] = ()
    device: str = "cpu"


@dataclass(frozen=True)
class Figure:
    """One figure. ``axis``: as the benchmark calls it; ``of``: which images; ``kind``: a share, or a plain number;
    ``measured``: None where it was not, and ``note`` says why."""

    axis: str
    of: str
    kind: Literal["share", "number"]
    measured: Interval | None
    note: str = ""


@dataclass(frozen=True)
class Measured:
    """A benchmark's figures. ``evaluators``: what looked at the images, by role, with its digest."""

    figures: tuple[Figure, ...]
    evaluators: Mapping[str, str]


class Shown(Protocol):
    """The images that were drawn, one for each ask."""

    @property
    def asks(self) -> Sequence[Ask]:
        """What was asked, an image each."""
        ...

    def pieces(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the images in their order, some at a time: uint8 [n, H, W, 3]."""
        ...


@dataclass(frozen=True)
class Suite:
    """A published benchmark. ``axes``: each with what it means. ``needs_forgotten``: whether it has to be told what
    should be gone. ``read``: what is asked, with faults of the folders added to a list; ``measure``: the figures."""

    place: int
    name: str
    title: str
    data: Sequence[Entry]
    weights: Sequence[Entry]
    axes: Mapping[str, str]
    sources: Sequence[Source]
    needs_forgotten: bool
    read: Callable[[Given, list[str]], Sequence[Ask]]
    measure: Callable[[Given, Shown], Measured]
    differs: Sequence[str] = ()

    def asks(self, given: Given) -> Sequence[Ask]:
        """Read what the benchmark asks.

        Raises:
            ModelRefused: with everything that is wrong with the folders, at once.
        """
        faults = [
            f"{folder / entry.path}: is not there; it holds {entry.holds}"
            for folder, entries in ((given.data, self.data), (given.weights, self.weights))
            for entry in entries
            if not entry.optional and not (folder / entry.path).exists()
        ]
        if self.needs_forgotten and not given.forgotten:
            faults.append(f"{self.name} has to be told what should be forgotten: --forgotten NAME")
        if not self.needs_forgotten and given.forgotten:
            faults.append(f"{self.name} counts the same whatever was forgotten: leave --forgotten out")
        asks = self.read(given, faults)
        if not faults and not asks:
            faults.append(f"{given.data}: asks for no image")
        if faults:
            raise ModelRefused("\n  - ".join([f"what {self.name} needs is not there:", *dict.fromkeys(faults)]))
        return asks


def limited(asks: Sequence[Ask], limit: int | None) -> Sequence[Ask]:
    """Return ``limit`` of ``asks`` in their order, drawn at random but the same every time. At even distances they
    would fall on the same seed or object again and again, for a benchmark asks for every pair of what it lists."""
    if limit is None or limit >= len(asks):
        return asks
    places = list(range(len(asks)))
    random.Random(TRIAL_SEED).shuffle(places)
    return [asks[place] for place in sorted(places[:limit])]


def plain(measured: Measured) -> dict[str, Any]:
    """Return the figures as JSON has them."""
    return {
        "figures": [
            {**vars(figure), "measured": vars(figure.measured) if figure.measured is not None else None}
            for figure in measured.figures
        ],
        "evaluators": dict(measured.evaluators),
    }
