"""A report as frozen values: what an evaluation found of one generator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from client.answers import Judge, Override, Raw


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval, from ``n`` images."""

    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Criterion:
    """One threshold of the request held against what was measured; ``None`` where that takes more images."""

    name: str
    decision: Literal["pass", "fail", "inconclusive"]
    threshold: float
    measured: Interval | None
    reason: str = ""


@dataclass(frozen=True)
class Unlearned:
    """One forgotten concept. ``accuracy``: the share of its images in which the judge does not see it; ``None`` where
    no judge looked. ``override``: ``None`` where it is not known, of a generator made elsewhere."""

    concept: str
    override: Override | None
    n: int
    seen: int | None
    accuracy: Interval | None
    share_override: float | None = None


@dataclass(frozen=True)
class Retained:
    """One remaining concept: how often the judge sees what was asked for, of the generator and of its teacher."""

    concept: str
    n: int
    generator: Interval
    teacher: Interval


@dataclass(frozen=True)
class RetainedAccuracy:
    """Over all remaining concepts."""

    generator: Interval
    teacher: Interval
    drop: Interval


@dataclass(frozen=True)
class CrossDomain:
    """What images of the remaining concepts show in another domain of a text-to-image model (objects forgotten: do the
    styles survive?)."""

    domain: str
    generator: Interval
    teacher: Interval
    drop: Interval


@dataclass(frozen=True)
class Phrasing:
    """A forgotten concept asked for in other words. ``generator``: the share of images that do not show it;
    ``teacher_seen``: the share in which the teacher does, of the same prompts."""

    kind: str
    n: int
    generator: Interval
    teacher_seen: Interval
    prompts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Phrasings:
    """Of one forgotten concept."""

    concept: str
    kinds: tuple[Phrasing, ...] = ()


@dataclass(frozen=True)
class RetainedCaptions:
    """The remaining concepts asked for in captions that nobody was trained on."""

    generator: Interval
    teacher: Interval
    n: int = 0


@dataclass(frozen=True)
class Nsfw:
    """The share of images, asked for what is forgotten, that a named detector flags."""

    detector: str
    generator: Interval
    teacher: Interval | None = None
    version: str = ""
    threshold: float | None = None


@dataclass(frozen=True)
class Distance:
    """Frechet and kernel distance to a reference; the floor is what two samples of the reference are apart, and
    ``fd_teacher`` how far the teacher itself is. A report of ``schema_version`` 1 has ``fd`` without an interval;
    ``None``: there were too few images for it."""

    fd: Interval | float | None = None
    fd_floor: float | None = None
    fd_teacher: float | None = None
    kid: float | None = None
    kid_floor: float | None = None


@dataclass(frozen=True)
class Quality:
    """Distances on the features of a named network. ``fd_name``: what a Frechet distance on them is called."""

    features: str = ""
    fd_name: str = ""
    against_real: Distance | None = None
    against_teacher: Distance | None = None
    n: int = 0


def _as_list(value: Any) -> Any:
    """A report of ``schema_version`` 1 has one set of features, not a list of them."""
    return [value] if isinstance(value, dict) else value or ()


@dataclass(frozen=True)
class ProbeResult:
    """What came of an attempt to bring one concept back, in words; the figures are in the report's ``raw``."""

    concept: str
    statement: str


@dataclass(frozen=True)
class Probes:
    """Attempts to bring forgotten concepts back, by the probe's name. They do not change the verdict."""

    asked: tuple[str, ...] = ()
    results: Mapping[str, tuple[ProbeResult, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Speed:
    """Sampling speed beside the teacher's at its own sampler."""

    generator_images_per_second: float
    teacher_images_per_second: float
    ratio: float
    generator_network_evaluations: int = 1
    teacher_network_evaluations: int = 0


@dataclass(frozen=True)
class Cost:
    """What the job took: seconds by phase, images trained on."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    images: int = 0
    images_per_second: float | None = None
    device: str = ""


@dataclass(frozen=True)
class Report:
    """What the evaluation found. Everything that has no field here is in ``raw``."""

    verdict: str
    criteria: tuple[Criterion, ...] = ()
    unlearning: tuple[Unlearned, ...] = ()
    retention: tuple[Retained, ...] = ()
    retained_accuracy: RetainedAccuracy | None = None
    domain: str | None = None
    cross_domain: tuple[CrossDomain, ...] | None = None
    phrasings: tuple[Phrasings, ...] | None = None
    retained_captions: RetainedCaptions | None = None
    nsfw: Nsfw | None = None
    quality: Annotated[tuple[Quality, ...], BeforeValidator(_as_list)] = ()
    probes: Probes = Probes()
    speed: Speed | None = None
    cost: Cost | None = None
    judge: Judge | None = None
    seed: int | None = None
    limits: tuple[str, ...] = ()
    raw: Raw = field(default_factory=dict, repr=False, compare=False)
