"""What the service answers, as frozen values. A field that this version does not know is no trouble: it is left out
of the typed fields and kept in ``raw``, the answer as it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Base64Bytes, BeforeValidator, Field, TypeAdapter, ValidationError

from client.errors import BadAnswer

Override = str | Mapping[str, Any]
Raw = Mapping[str, Any]
T = TypeVar("T")
_ADAPTERS: dict[type, TypeAdapter[Any]] = {}

TERMINAL = frozenset({"succeeded", "failed", "cancelled"})
"""The statuses in which no worker holds the job."""


@dataclass(frozen=True)
class Judge:
    """The classifier that says which concept is in an image, and how well it does on real ones."""

    name: str
    accuracy: float | None = None


@dataclass(frozen=True)
class Domain:
    """One kind of concept that a text-to-image model knows, and the judge of it."""

    concepts: tuple[str, ...] = ()
    judge: Judge | None = None
    teacher: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BaseModel:
    """A model that can be unlearned from. ``teacher``: its own figures, measured once. ``domains``: of a text-to-image
    model whose concepts are judged."""

    name: str
    title: str = ""
    family: str = ""
    digest: str = ""
    license: str = ""
    concepts: tuple[str, ...] = ()
    judge: Judge | None = None
    teacher: Mapping[str, Any] = field(default_factory=dict)
    domains: Mapping[str, Domain] = field(default_factory=dict)
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Forget:
    """One forgotten concept. ``override``: a concept or words, or ``{"random": true}``, ``{"judge": true}``,
    ``{"prompts": [...]}``, ``{"negative": "..."}``, ``{"empty": true}``. ``words``: that name it in a prompt;
    ``prompts``: how many of its own were given."""

    concept: str
    override: Override
    words: tuple[str, ...] = ()
    prompts: int = 0


@dataclass(frozen=True)
class Progress:
    """Where a run is: images trained on of the budget, images and seconds, the latest quick evaluation."""

    images: int = 0
    of: int = 0
    images_per_second: float | None = None
    eta_seconds: float | None = None
    loss_generator: float | None = None
    loss_fake_score: float | None = None
    unlearning_accuracy: float | None = None
    retained_accuracy: float | None = None


@dataclass(frozen=True)
class JobError:
    """Why a job failed. ``retryable``: a retry may go better."""

    code: str
    message: str
    retryable: bool = False


@dataclass(frozen=True)
class Job:
    """A job as it was when the service answered. ``verdict`` is apart from ``status``: a job that succeeded may have
    made a generator that does not pass."""

    id: str
    status: str
    phase: str | None = None
    verdict: str | None = None
    attempt: int = 0
    base_model: str = ""
    base_model_digest: str = ""
    forget: tuple[Forget, ...] = ()
    budget: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    progress: Progress | None = None
    error: JobError | None = None
    generator: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    raw: Raw = field(default_factory=dict, repr=False, compare=False)

    @property
    def finished(self) -> bool:
        """No worker holds the job, and none will unless it is retried."""
        return self.status in TERMINAL

    @property
    def passed(self) -> bool:
        """The job succeeded and its generator passed the evaluation."""
        return self.status == "succeeded" and self.verdict == "pass"


@dataclass(frozen=True)
class Event:
    """One thing that happened to a job. ``seq`` counts from 1 without a gap."""

    seq: int
    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 0
    created_at: datetime | None = None
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


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


@dataclass(frozen=True)
class StoredFile:
    """A file of a generator: hexadecimal SHA-256, size in bytes."""

    sha256: str
    size: int = 0


@dataclass(frozen=True)
class Release:
    """That a generator is served although it did not pass: who decided so, why and when."""

    by: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class Generator:
    """A trained generator. ``status``: ``published``, or ``withheld`` where it did not pass and nobody has released
    it. ``verdict`` stays what the evaluation found."""

    id: str
    status: str = ""
    verdict: str | None = None
    release: Release | None = None
    job: str | None = None
    base_model: str = ""
    base_model_digest: str = ""
    forget: tuple[Forget, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    takes_prompts: bool = False
    digest: str = ""
    files: Mapping[str, StoredFile] = field(default_factory=dict)
    created_at: datetime | None = None
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class SampleImage:
    """One image. ``seed`` alone gives the same image again."""

    index: int
    seed: int
    png: Annotated[Base64Bytes, Field(validation_alias="png_base64")]


@dataclass(frozen=True)
class Samples:
    """Images of one concept or prompt, in order. ``forgotten``: whether that names what the generator has forgotten."""

    images: tuple[SampleImage, ...]
    forgotten: bool = False
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


def read(kind: type[T], answer: Mapping[str, Any]) -> T:
    """``answer`` as a ``kind``, with the whole of it in ``raw``.

    Raises:
        BadAnswer: naming each field that is missing or of another type.
    """
    try:
        adapter = _ADAPTERS.get(kind) or _ADAPTERS.setdefault(kind, TypeAdapter(kind))
        value: T = adapter.validate_python({**answer, "raw": answer})
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(str(part) for part in entry['loc'])}: {entry['msg']}"
            for entry in error.errors(include_url=False, include_input=False)
        )
        raise BadAnswer(f"the service sent a {kind.__name__} that this client cannot read: {wrong}") from None
    return value
