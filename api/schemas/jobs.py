"""A job and its events, as the service shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, ModelWrapValidatorHandler, PrivateAttr, model_validator

from api.schemas.common import JsonObject, Output, PageQuery, QueryInput
from api.schemas.submission import MAX_METADATA
from jobs.events import Event
from jobs.finding import ID_END, METADATA, TICKET, Wanted
from jobs.job import Job
from jobs.states import EventType, Phase, Status
from sfd_core.base_model.manifest import BaseModel
from sfd_core.evaluation.poor_base import warnings_about
from sfd_core.evaluation.verdict import Verdict
from sfd_core.request.concepts import Budget, Topic


class Progress(Output):
    """The progress of the run, with the latest quick evaluation in training."""

    images: int = Field(default=0, description="Images trained on.")
    of: int = Field(description="Images in the budget; a run may end before.")
    images_per_second: float | None = None
    eta_seconds: float | None = Field(default=None, description="Until the end of training, as it looks now.")
    loss_generator: float | None = None
    loss_fake_score: float | None = None
    unlearning_accuracy: float | None = None
    retained_accuracy: float | None = None
    waiting: str | None = Field(
        default=None, description="Why the run stands still, such as `storage_full`; null while it moves."
    )

    @classmethod
    def of_job(cls, job: Job) -> Progress:
        """Read the progress from the job's row, which holds what the worker sent last."""
        known = {name: job.progress[name] for name in cls.model_fields if job.progress.get(name) is not None}
        if not job.held:
            known.pop("waiting", None)
        return cls(**({"of": job.request["budget"]["images"]} | known))


class JobFailure(Output):
    """The reason why a job failed."""

    code: str = Field(examples=["training_diverged"])
    message: str
    retryable: bool = Field(description="Whether a retry may succeed.")


class RetainObject(Output):
    """The prompts that a text-to-image model was told to keep."""

    prompts: int = Field(description="How many prompts were given.")


class Forgotten(Output):
    """One forgotten concept. Of a text-to-image model with its words; of long lists of prompts, how long they are."""

    concept: str
    override: str | dict[str, Any] = Field(description="What is drawn instead.")
    words: list[str] = Field(
        default=[],
        description="Text to image: the words that name it, as they were asked for; of a generator all that are known.",
    )
    prompts: int = Field(default=0, description="Text to image: how many prompts of its own were given.")
    topic: Topic | None = Field(default=None, description="Text to image: what was asked for instead of words.")
    outside_vocabulary: bool = Field(
        default=False, description="Text to image: concept and override were meant as they are spelt."
    )
    kept: bool = Field(default=False, description="It was forgotten by an earlier generator, and is kept forgotten.")

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Forgotten:
        """Describe what is forgotten, from a request's item, which has the prompts themselves, or a generator's."""
        return cls(**{**item, "prompts": _count(item.get("prompts", 0))})


def _count(prompts: int | Sequence[str]) -> int:
    """How many prompts a list has, which a generator and a page of jobs know only the length of."""
    return prompts if isinstance(prompts, int) else len(prompts)


class JobLinks(Output):
    """Links: paths on this service."""

    self: str
    events: str
    report: str | None
    generator: str | None


def warnings_of(job: Job, model: BaseModel | None) -> list[str]:
    """Say what of a job cannot be decided, where its base model is registered as it was then."""
    if model is None or model.digest != job.base_model_digest:
        return []
    return list(warnings_about(model, [item["concept"] for item in job.request["forget"]]))


class JobObject(Output):
    """A job. `status` says whether it ran; `verdict` says what the evaluation found."""

    id: str = Field(examples=["job_019ab5f0c1de7a6b8c3d2e1f0a9b8c7d"])
    object: Literal["job"] = "job"
    status: Status
    phase: Phase | None = Field(description="What the worker is doing, while one holds the job.")
    verdict: Verdict | None = Field(description="What the evaluation found, once the job has succeeded.")
    attempt: int = Field(description="How many times a worker has claimed the job.")
    failures: int = Field(description="How many attempts failed since the job was last submitted or retried.")
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime
    cancel_requested_at: datetime | None
    base_model: str
    base_model_digest: str = Field(
        description="Of every file of the base model that the run reads; of a hub's model its commit, `git:...`."
    )
    parent: str | None = Field(
        description="The published generator that the job goes on from; null: from the base model."
    )
    forget: list[Forgotten]
    retain: RetainObject | None = Field(description="Null where the model's own prompts, or the bundled, are kept.")
    budget: Budget
    recipe: JsonObject = Field(description="Every hyper-parameter, defaults written out.")
    thresholds: JsonObject
    evaluation: JsonObject
    seed: int
    progress: Progress
    error: JobFailure | None
    generator: str | None = Field(description="The generator's id, once the job has succeeded.")
    report: str | None = Field(description="The report's path, once the job has succeeded.")
    memory_bytes: int | None = Field(
        description="Device memory that training takes at the least; null where that is not known, as of a hub's model."
    )
    waiting: str | None = Field(
        description="Why no worker takes the job while it is queued, where none that is there can; else null.",
        examples=["needs at least 31.0 GB of device memory; the largest worker that is there has 25.8 GB"],
    )
    warnings: list[str] = Field(
        description="What cannot be decided, whatever the run makes: the base model's own images hardly show it.",
    )
    metadata: dict[str, str]
    links: JobLinks

    @classmethod
    def of(cls, job: Job, model: BaseModel | None, waiting: str | None) -> JobObject:
        """Describe a job as its owner sees it: nothing of the worker's name or lease. ``model``: its base model, where
        that is registered. ``waiting``: why no worker takes it."""
        path = f"/v1/jobs/{job.id}"
        report = f"{path}/report" if job.status is Status.SUCCEEDED else None
        request = job.request
        parent = request.get("parent")
        kept = () if parent is None else parent["kept"]
        return cls(
            id=job.id,
            status=job.status,
            phase=job.phase,
            verdict=job.verdict,
            attempt=job.attempt,
            failures=job.failures,
            created_at=job.created_at,
            started_at=job.started_at,
            finished_at=job.finished_at,
            updated_at=job.updated_at,
            cancel_requested_at=job.cancel_requested_at,
            base_model=job.base_model,
            base_model_digest=job.base_model_digest,
            forget=[Forgotten.of({**item, "kept": item["concept"] in kept}) for item in request["forget"]],
            parent=None if parent is None else parent["generator"],
            retain=RetainObject(prompts=_count(request["retain"]["prompts"])) if "retain" in request else None,
            budget=request["budget"],
            recipe=request["recipe"],
            thresholds=request["thresholds"],
            evaluation=request["evaluation"],
            seed=request["seed"],
            progress=Progress.of_job(job),
            error=JobFailure(**job.error.to_json()) if job.error else None,
            generator=job.generator_id,
            report=report,
            memory_bytes=job.memory_bytes,
            waiting=waiting,
            warnings=warnings_of(job, model),
            metadata=dict(job.metadata),
            links=JobLinks(
                self=path,
                events=f"{path}/events",
                report=report,
                generator=f"/v1/generators/{job.generator_id}" if job.generator_id else None,
            ),
        )


class EventObject(Output):
    """One thing that happened to a job."""

    object: Literal["event"] = "event"
    seq: int = Field(
        description="Counts from 1, without a gap until progress is deleted, 30 days later; the `id:` of a server-sent "
        "event."
    )
    type: EventType
    attempt: int = Field(description="The attempt that it happened in; 0 before the first.")
    created_at: datetime
    data: JsonObject

    @classmethod
    def of(cls, event: Event) -> EventObject:
        """Describe an event as it goes over the wire."""
        return cls(
            seq=event.seq, type=event.type, attempt=event.attempt, created_at=event.created_at, data=dict(event.data)
        )


class JobsQuery(PageQuery):
    """The jobs that are asked for."""

    status: Status | None = Field(default=None, description="Only jobs with this status.")
    base_model: Annotated[str | None, Field(max_length=200)] = Field(
        default=None, description="Only jobs of this base model."
    )
    verdict: Verdict | None = Field(default=None, description="Only jobs that ended with this verdict.")
    concept: Annotated[str | None, Field(max_length=200)] = Field(
        default=None, description="Only jobs that forget this concept."
    )
    created_after: AwareDatetime | None = Field(default=None, description="Only jobs submitted at this time or later.")
    created_before: AwareDatetime | None = Field(default=None, description="Only jobs submitted before this time.")
    id: Annotated[str | None, Field(min_length=ID_END, max_length=36)] = Field(
        default=None, description="Only the job of this id, or those whose id ends in it."
    )
    _metadata: dict[str, str] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _take_metadata(cls, query: Any, read: ModelWrapValidatorHandler[JobsQuery]) -> JobsQuery:
        """Every ``metadata.KEY`` is a parameter, and no other is that is not known."""
        given = dict(query)
        metadata = {key: given.pop(key) for key in list(given) if key.startswith(METADATA) and key != METADATA}
        made = read(given)
        if twice := [key for key, value in metadata.items() if not isinstance(value, str)]:
            raise ValueError(f"{', '.join(twice)} must be given once")
        if len(metadata) > MAX_METADATA:
            raise ValueError(f"{len(metadata)} keys of metadata are asked for; a job has at most {MAX_METADATA}")
        made._metadata = {key.removeprefix(METADATA): value for key, value in metadata.items()}
        return made

    def wanted(self) -> Wanted:
        """Return what is asked for, whatever page."""
        own = self.model_dump(exclude={"limit", "after"})
        return Wanted(metadata=self._metadata, **own)


METADATA_PARAMETER: dict[str, Any] = {
    "name": f"{METADATA}{TICKET}",
    "in": "query",
    "required": False,
    "schema": {"type": "string", "title": "Metadata.Ticket"},
    "description": "Only jobs with this ticket in their metadata. Likewise with any other key: `metadata.KEY`.",
}
"""How the document shows what :class:`JobsQuery` takes of metadata: a parameter has one name there."""


class EventsQuery(QueryInput):
    """The events that are asked for. ``after`` is a sequence number, as Last-Event-ID is."""

    limit: Annotated[int, Field(ge=1, le=500, description="Maximum number of events.")] = 100
    after: Annotated[
        int, Field(ge=0, le=2**31 - 1, description="Only events with a sequence number above this one.")
    ] = 0
