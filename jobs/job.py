"""A job, and what goes into the store and comes out of it with one, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from jobs.errors import JOB_ERRORS
from jobs.states import HELD, TERMINAL, Phase, Status
from sfd_core.evaluation.verdict import Verdict

JsonObject = Mapping[str, Any]
MAX_MESSAGE = 2000
"""Characters of a job's error."""


@dataclass(frozen=True)
class NewJob:
    """A job as a user submits it. ``request`` is the JSON of an ``UnlearningRequest``: checked, every default written
    out.

    ``memory_bytes``: of a device, at the least, to train it; None where that is not known.

    ``idempotency_key`` and ``body_sha256`` (of the body as it came) go together: the same key with the same body
    answers the same job.
    """

    tenant: str
    request: JsonObject
    base_model: str
    base_model_digest: str
    webhook: JsonObject | None = None
    metadata: JsonObject = field(default_factory=dict)
    memory_bytes: int | None = None
    idempotency_key: str | None = None
    body_sha256: str | None = None

    def __post_init__(self) -> None:
        if (self.idempotency_key is None) != (self.body_sha256 is None):
            raise ValueError("idempotency_key and body_sha256 go together")


@dataclass(frozen=True)
class JobError:
    """The reason why an attempt or a job failed. ``retryable``: another attempt may go better."""

    code: str
    message: str
    retryable: bool

    def __post_init__(self) -> None:
        if self.code not in JOB_ERRORS:
            raise ValueError(f"{self.code!r} is not in the catalogue of job errors")

    @classmethod
    def of(cls, code: str, message: str) -> JobError:
        """Make the error of this code. A message may repeat what a file or a library says: of that, what Postgres
        cannot store is replaced, and what is long is cut."""
        text = message.encode("utf-8", "replace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")
        if len(text) > MAX_MESSAGE:
            text = f"{text[: MAX_MESSAGE - 4]} ..."
        return cls(code, text, JOB_ERRORS[code].retryable)

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored with the job and in its events."""
        return asdict(self)


@dataclass(frozen=True)
class Job:
    """A job as its row has it. ``attempt`` counts claims and only grows; ``failures`` counts attempts that
    failed; ``version`` grows with every change that a reader can see (an ETag)."""

    id: str
    tenant: str
    status: Status
    phase: Phase | None
    verdict: Verdict | None
    attempt: int
    failures: int
    lease_until: datetime | None
    worker: str | None
    cancel_requested_at: datetime | None
    base_model: str
    base_model_digest: str
    request: JsonObject
    webhook: JsonObject | None
    metadata: JsonObject
    progress: JsonObject
    error: JobError | None
    generator_id: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime
    version: int
    last_seq: int
    woken_at: datetime
    """When its last wake-up message was written."""
    held_since: datetime | None
    """Since when a worker holds it."""
    memory_bytes: int | None
    """Of a device, at the least, to train it; None where that is not known."""

    @property
    def terminal(self) -> bool:
        """No worker holds the job, and none will unless it is retried."""
        return self.status in TERMINAL

    @property
    def held(self) -> bool:
        """A worker holds the job's lease."""
        return self.status in HELD


@dataclass(frozen=True)
class Claim:
    """A job that this worker now holds. Every write of the worker names ``attempt``."""

    job: Job
    attempt: int


@dataclass(frozen=True)
class Renewal:
    """The answer to a worker's write. ``cancel_requested``: stop, then call ``cancelled``."""

    cancel_requested: bool


@dataclass(frozen=True)
class StoredFile:
    """A file in the artefact store, by digest: hexadecimal SHA-256, size in bytes, media type where it matters."""

    sha256: str
    size: int
    type: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as it is stored: without ``type`` where there is none."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class NewGenerator:
    """A trained generator. ``files``: by name within its folder. ``figures``: what a list shows of the report.
    ``record``: the unlearning record, as it is served. ``id``: made before, because the record may name it. ``pair``:
    files that another run can go on from, which are handed out to nobody."""

    id: str
    forget: Sequence[JsonObject]
    figures: JsonObject
    files: Mapping[str, StoredFile]
    digest: str
    record: str
    pair: Mapping[str, StoredFile] = field(default_factory=dict)


@dataclass(frozen=True)
class Publication:
    """All that becomes visible at once when a job succeeds."""

    verdict: Verdict
    generator: NewGenerator
    report: JsonObject
    report_files: Mapping[str, StoredFile] = field(default_factory=dict)


@dataclass(frozen=True)
class Over:
    """The attempts of a job that nobody works at: those up to ``upto``. ``published``: the one that was published."""

    upto: int
    published: int | None

    def is_waste(self, attempt: int) -> bool:
        """Return whether nothing refers to the files of ``attempt``, and nothing will."""
        return attempt <= self.upto and attempt != self.published


@dataclass(frozen=True)
class Expired:
    """A lease that ran out, and what became of its job: ``queued``, ``failed`` or ``cancelled``."""

    job_id: str
    outcome: Status


ATTEMPTS = "attempts"
"""The folder of the artefact store in which all attempts lie."""


def attempt_prefix(job_id: str, attempt: int) -> str:
    """Return where the artefacts of one attempt lie in the artefact store."""
    return f"{ATTEMPTS}/{job_id}/{attempt}"
