"""What the service answers, as frozen values. A field that this version does not know is no trouble: it is left out
of the typed fields and kept in ``raw``, the answer as it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, TypeVar

from pydantic import Base64Bytes, Field, TypeAdapter, ValidationError

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
class OwnImages:
    """The model's own images as its judges see them: the share that shows what was asked, of all and by concept.
    ``too_few``: concepts that are shown in too few for a verdict on whether they are forgotten."""

    accuracy: float
    images: int = 0
    by_concept: Mapping[str, float] = field(default_factory=dict)
    too_few: tuple[str, ...] = ()


@dataclass(frozen=True)
class Domain:
    """One kind of concept that a text-to-image model knows, and the judge of it."""

    concepts: tuple[str, ...] = ()
    judge: Judge | None = None
    own_images: OwnImages | None = None
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
    own_images: OwnImages | None = None
    teacher: Mapping[str, Any] = field(default_factory=dict)
    domains: Mapping[str, Domain] = field(default_factory=dict)
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Forget:
    """One forgotten concept. ``override``: a concept or words, or ``{"random": true}``, ``{"judge": true}``,
    ``{"prompts": [...]}``, ``{"negative": "..."}``, ``{"empty": true}``. ``words``: that name it in a prompt;
    ``prompts``: how many of its own were given. ``outside_vocabulary``: concept and override are meant as spelt."""

    concept: str
    override: Override
    words: tuple[str, ...] = ()
    prompts: int = 0
    outside_vocabulary: bool = False


@dataclass(frozen=True)
class Progress:
    """The progress of a run: images trained on of the budget, the latest quick evaluation, seconds until the end of the
    job and the ``share`` of its time that is over. ``waiting``: why it stands still, such as ``storage_full``."""

    images: int = 0
    of: int = 0
    images_per_second: float | None = None
    eta_seconds: float | None = None
    share: float | None = None
    loss_generator: float | None = None
    loss_fake_score: float | None = None
    unlearning_accuracy: float | None = None
    retained_accuracy: float | None = None
    waiting: str | None = None


@dataclass(frozen=True)
class JobError:
    """The reason why a job failed. ``retryable``: a retry may go better."""

    code: str
    message: str
    retryable: bool = False


@dataclass(frozen=True)
class JobWebhook:
    """The webhook that is told of one job alone. ``secret``: in the answer to the submission that made it."""

    id: str
    url: str = ""
    events: tuple[str, ...] = ()
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Case:
    """The request for removal that a job answers, as far as it was told."""

    ticket: str | None = None
    requester: str | None = None
    received_at: datetime | None = None
    due_at: datetime | None = None
    basis: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class Job:
    """A job as it was when the service answered. ``verdict`` is apart from ``status``: a job that succeeded may have
    made a generator that does not pass. ``warnings``: what cannot be decided whatever it makes. ``waiting``: why no
    worker takes it, where none that is there can. ``overdue``: its case is due and no generator of it is served."""

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
    waiting: str | None = None
    warnings: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    webhook: JobWebhook | None = None
    case: Case | None = None
    overdue: bool = False
    priority: str = "normal"
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
class Range:
    """An estimate: nine of ten are meant to lie from ``low`` to ``high``."""

    low: float
    likely: float
    high: float


@dataclass(frozen=True)
class Basis:
    """The jobs that an estimate rests on: ``this_base_model``, ``other_base_models`` or, of none, ``first_guess``."""

    of: str
    jobs: int = 0
    device: str = ""
    gpus: int = 1


@dataclass(frozen=True)
class MemoryNeed:
    """Device memory that training needs, and the most that a worker has; None: not known."""

    needed_bytes: int | None = None
    largest_worker_bytes: int | None = None


@dataclass(frozen=True)
class Queue:
    """The queue that a job would wait in. ``workers``: that would take it; ``position``: 1 is next; ``waiting``: why
    none would."""

    workers: int = 0
    position: int = 1
    starts_in_seconds: Range | None = None
    waiting: str | None = None


@dataclass(frozen=True)
class Estimate:
    """An estimate of a job. ``seconds``: by phase, and in ``total``; ``images``: that it would be trained on; ``cost``:
    money, where the service knows what a worker costs."""

    base_model: str
    images: Range
    seconds: Mapping[str, Range]
    based_on: Basis
    memory: MemoryNeed
    queue: Queue
    stored_bytes: Range
    cost: Range | None = None
    warnings: tuple[str, ...] = ()
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Advice:
    """One thing to try after a job that did not pass: ``why``, the ``change`` to its request, and the ``request`` to
    submit."""

    why: str
    change: Mapping[str, Any] = field(default_factory=dict)
    request: Mapping[str, Any] = field(default_factory=dict)
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


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
class StoredFile:
    """A file of a generator: hexadecimal SHA-256, size in bytes."""

    sha256: str
    size: int = 0


@dataclass(frozen=True)
class Release:
    """The release of a generator that did not pass and is served: who decided so, why and when."""

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
class MeasuredTest:
    """One test of a decision: what was found in words, its decision, and the reason with its figures."""

    statement: str
    decision: str
    figures: str = ""


@dataclass(frozen=True)
class Decision:
    """The end of a request for removal. ``outcome``: the verdict, or ``released``, ``deleted``, ``failed`` or
    ``cancelled``; ``served``: the generator may be used; ``limits``: what it does not prove."""

    job: str
    outcome: str
    summary: str
    served: bool
    decided_at: datetime
    generator: str | None = None
    verdict: str | None = None
    answered_at: datetime | None = None
    in_time: bool | None = None
    case: Case | None = None
    measured: tuple[MeasuredTest, ...] = ()
    release: Release | None = None
    record: Mapping[str, Any] | None = None
    verification: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Tombstone:
    """A tombstone: what is kept of a job or a generator that was deleted, by whose id it is found. ``record_sha256``:
    of the generator's record; ``files``: the SHA-256 of what went by its name; ``files_removed_at``: None until the
    last file has gone; ``descendants``: jobs that started from the generator."""

    id: str
    deleted: str
    kind: str
    job: str
    by: str
    reason: str
    at: datetime
    generator: str | None = None
    base_model: str = ""
    base_model_digest: str = ""
    verdict: str | None = None
    record_sha256: str | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    bytes: int = 0
    files_removed_at: datetime | None = None
    descendants: tuple[str, ...] = ()
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


@dataclass(frozen=True)
class AuditEntry:
    """One entry of the audit log: who did what to what. ``raw`` is what its ``hash`` is of, but for the hash itself."""

    tenant: str
    seq: int
    at: datetime
    actor: str
    action: str
    object_id: str
    hash: str
    previous: str
    actor_name: str | None = None
    before: str | None = None
    after: str | None = None
    request_id: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Webhook:
    """A webhook: where it is told what becomes of jobs. ``job``: the one that it is told of; None: every job.
    ``secret``: in the answer that made it alone; what verifies the signatures of what it is told."""

    id: str
    kind: str = ""
    url: str = ""
    job: str | None = None
    events: tuple[str, ...] = ()
    description: str = ""
    disabled_at: datetime | None = None
    disabled_because: str | None = None
    secret_before_until: datetime | None = None
    secret: str | None = field(default=None, repr=False)
    created_at: datetime | None = None
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True)
class Delivery:
    """One event as a webhook is told it. ``status``: ``pending``, ``delivered`` or ``failed``; ``response``, ``error``:
    of the last try."""

    id: str
    webhook: str = ""
    job: str = ""
    event: str = ""
    status: str = ""
    tries: int = 0
    response: int | None = None
    error: str | None = None
    next_try_at: datetime | None = None
    created_at: datetime | None = None
    raw: Raw = field(default_factory=dict, repr=False, compare=False)


def read(kind: type[T], answer: Mapping[str, Any]) -> T:
    """Read ``answer`` as a ``kind``, with the whole of it in ``raw``.

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
