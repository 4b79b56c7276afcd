"""How long a job will take: what jobs have taken, held against the first guess of each (``jobs.work``).

The ratio of seconds to guess is what a job leaves behind. Another job's seconds are its own guess times the median
ratio of the jobs that are most like it, and the range is to hold nine jobs of ten: in logarithms, as seconds are off by
factors. Its width is the ratios' own spread (median deviation, which a job that stood still does not move), drawn
towards an assumed one while there are few. Before any job it is the guess alone, and a range wide enough to say so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from jobs.work import Part, Work

Basis = Literal["this_base_model", "other_base_models", "first_guess"]

ALIKE = 12
"""Jobs that are looked at, those whose guess is nearest: a guess is off by the least where it has to reach the least
far."""
ASSUMED_SPREAD, ASSUMED_JOBS = 0.25, 3
"""The standard deviation of a logarithm that is assumed, and as many jobs as it counts for."""
NORMAL, SMALL_SAMPLE = 1.645, 2.1
"""Student's t of nine in ten is about the one and the other over the degrees of freedom."""
OTHER_MODELS = math.log(4)
"""How much wider a range is that rests on jobs of other base models."""
FIRST_GUESS = math.log(10)
"""Half the range of a first guess: a tenth to ten times."""
CHECKS = (0.0, 0.05, 0.25)
"""Seconds of a run's own checks, as a share of those of its training, before any job: at least, likely, at most
(``training.stopping.CHECK_SHARE`` bounds them)."""
PASSES_AT = (0.1, 0.5, 1.0)
"""Share of the budget at which a job passes its own check, before any job: at least, likely, at most."""


@dataclass(frozen=True)
class Range:
    """An estimate. Nine of ten are meant to lie from ``low`` to ``high``."""

    low: float
    likely: float
    high: float

    def __add__(self, other: Range) -> Range:
        """Add what a busy machine makes longer together: the ends are added too."""
        return Range(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def __mul__(self, factor: float) -> Range:
        return Range(self.low * factor, self.likely * factor, self.high * factor)

    def at_most(self, limit: float) -> Range:
        """Return the same where more than ``limit`` is impossible."""
        return Range(*(min(value, limit) for value in (self.low, self.likely, self.high)))


NOTHING = Range(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Observation:
    """The time that one job took. ``seconds``: by part, and of its own checks as ``checking``; ``images``: of its
    training; ``passed``: its own check ended it; ``stored_bytes``: of its generator and report."""

    work: Work
    device: str
    gpus: int
    images: int
    passed: bool
    seconds: Mapping[str, float]
    stored_bytes: int

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Observation:
        """Read a row of ``rates``."""
        return cls(
            Work.from_json(row["work"]),
            row["device"],
            row["gpus"],
            row["images"],
            row["passed"],
            row["seconds"],
            row["stored_bytes"],
        )

    def guess(self, part: Part) -> float:
        """Return the first guess of what it took."""
        return self.work.guess(part, self.device, self.gpus, self.images)


@dataclass(frozen=True)
class Known:
    """The knowledge of how long jobs take on a device, of which ``gpus`` train one together. ``observations``: of jobs
    on it, of this base model or, where there is none, of others."""

    device: str
    gpus: int
    basis: Basis = "first_guess"
    observations: tuple[Observation, ...] = ()


@dataclass(frozen=True)
class Forecast:
    """A forecast for one job: ``images`` that it trains on, seconds by ``parts`` and of its ``checking``, and how many
    bytes are kept of it."""

    work: Work
    known: Known
    images: Range
    parts: Mapping[Part, Range]
    checking: Range
    stored_bytes: Range

    @classmethod
    def of(cls, work: Work, known: Known) -> Forecast:
        """Make the forecast for ``work`` from what is ``known``."""
        images = images_of(work, known)
        likely = max(1, round(images.likely))
        parts = {part: _part(work, known, part, likely) for part in work.parts()}
        each = parts["training"] * (1 / max(images.likely, 1.0))
        training = Range(each.low * images.low, each.likely * images.likely, each.high * images.high)
        parts["training"] = training if work.limit_seconds is None else training.at_most(work.limit_seconds)
        return cls(work, known, images, parts, _checking(work, known, parts["training"]), _bytes(work, known))

    def phases(self) -> dict[str, Range]:
        """Return the seconds by phase of a job: its checks are part of its training, and its probes of its
        evaluation."""
        return {
            "preparing": self.parts["preparing"],
            "training": self.parts["training"] + self.checking,
            "evaluating": self.parts["evaluating"] + self.parts.get("probing", NOTHING),
            "publishing": self.parts["publishing"],
        }

    def total(self) -> Range:
        """Return the seconds of the whole job, once it has started."""
        return sum(self.phases().values(), NOTHING)


def images_of(work: Work, known: Known, done: int = 0) -> Range:
    """Say on how many images the job will be trained, having been trained on ``done`` of them: of the budget where it
    uses all of it, else as many as took jobs of the same base model to pass their own check. One that did not pass
    would have gone on to the end of any larger budget."""
    if work.until == "budget":
        return Range(work.images, work.images, work.images)
    own = known.observations if known.basis == "this_base_model" else ()
    met = [seen.images if seen.passed else work.images for seen in own if seen.work.until == "pass"]
    later = [float(min(each, work.images)) for each in met if each > done]
    if not later:
        left = work.images - done
        return Range(*(done + share * left for share in PASSES_AT))
    low, likely, high = spread(later)
    return Range(max(low, done), likely, high).at_most(work.images)


def spread(values: Sequence[float], wider: float = 0.0) -> tuple[float, float, float]:
    """Return a range that is to hold nine in ten of what ``values``, all above 0, come from, around their median.
    ``wider``: by which its half is wider, in logarithms."""
    logs = [math.log(value) for value in values]
    centre, n = median(logs), len(logs)
    own = 1.4826 * median(abs(log - centre) for log in logs)
    variance = (ASSUMED_JOBS * ASSUMED_SPREAD**2 + n * own**2) / (ASSUMED_JOBS + n)
    factor = NORMAL + SMALL_SAMPLE / (ASSUMED_JOBS + n - 1)
    half = factor * math.sqrt(variance * (1 + 1 / n)) + wider
    return math.exp(centre - half), math.exp(centre), math.exp(centre + half)


def _part(work: Work, known: Known, part: Part, images: int) -> Range:
    """The seconds of one part of a job that is trained on so many images."""
    guess = work.guess(part, known.device, known.gpus, images)
    seen = [each for each in known.observations if each.seconds.get(part, 0.0) > 0 and each.guess(part) > 0]
    seen = sorted(seen, key=lambda each: abs(math.log(each.guess(part) / guess)))[:ALIKE]
    return Range(*_ratios([each.seconds[part] / each.guess(part) for each in seen], known)) * guess


def _ratios(ratios: Sequence[float], known: Known) -> tuple[float, float, float]:
    if not ratios:
        return math.exp(-FIRST_GUESS), 1.0, math.exp(FIRST_GUESS)
    return spread(ratios, 0.0 if known.basis == "this_base_model" else OTHER_MODELS)


def _checking(work: Work, known: Known, training: Range) -> Range:
    """The seconds of a run's own checks: a share of those of its training."""
    if work.until == "budget":
        return NOTHING
    seen = [
        each.seconds.get("checking", 0.0) / each.seconds["training"]
        for each in known.observations
        if each.work.until == "pass" and each.seconds.get("training", 0.0) > 0
    ]
    low, likely, high = CHECKS if not seen else (min(CHECKS[0], *seen), median(seen), max(CHECKS[2], *seen))
    return Range(low * training.low, likely * training.likely, high * training.high)


def _bytes(work: Work, known: Known) -> Range:
    seen = [each.stored_bytes / each.work.guessed_bytes() for each in known.observations if each.stored_bytes > 0]
    return Range(*_ratios(seen, known)) * work.guessed_bytes()
