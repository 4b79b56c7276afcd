"""The decision on a request for removal, as the service shows it: for people who are not engineers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from api.schemas.case import CaseObject
from api.schemas.common import Output
from api.schemas.generators import ReleaseObject
from sfd_core.evaluation.verdict import Verdict

Outcome = Literal["pass", "fail", "inconclusive", "released", "deleted", "failed", "cancelled"]


class AskedConcept(Output):
    """A concept that was to be forgotten."""

    concept: str
    override: str = Field(description="What is drawn instead, in words.")


class AskedObject(Output):
    """The question that the service was asked."""

    base_model: str
    base_model_digest: str
    parent: str | None = Field(description="The generator that the job goes on from; null: from the base model.")
    forget: list[AskedConcept] = Field(description="What this job was asked to forget, not what was forgotten before.")
    submitted_at: datetime


class MeasuredObject(Output):
    """One test of the report, whose threshold was fixed before the run."""

    statement: str = Field(description="What was found, in words.")
    decision: Verdict
    figures: str = Field(description="The reason with its figures, as the report and the record have it.")


class RecordObject(Output):
    """The record that the decision rests on."""

    path: str = Field(description="Where the service gives it.")
    sha256: str = Field(description="Of the file, byte for byte; in hexadecimal. A release makes another record.")
    signed_by: str | None = Field(description="The id of the key that signed it; null where it is unsigned.")


class DecisionObject(Output):
    """The end of a request for removal: derived, when it is asked for, from the job, the report and the record."""

    object: Literal["decision"] = "decision"
    job: str
    generator: str | None
    outcome: Outcome = Field(
        description="The verdict; `released` where a generator that did not pass is served by an administrator's "
        "decision; `deleted` where its generator has been deleted since; `failed` or `cancelled` where the job ended "
        "without a verdict."
    )
    verdict: Verdict | None
    summary: str = Field(description="The outcome in words, and what follows from it.")
    served: bool = Field(description="Whether the generator may be used.")
    decided_at: datetime = Field(description="When the job ended, or the generator was released.")
    answered_at: datetime | None = Field(description="Since when a generator is served; null where none is.")
    in_time: bool | None = Field(
        description="Whether that was before the case was due; null where none is served, or nothing is due."
    )
    as_of: datetime = Field(description="When this was asked for: a release, or a correction of the case, may follow.")
    case: CaseObject | None
    asked: AskedObject
    measured: list[MeasuredObject] = Field(description="What did not pass first. Empty where nothing was measured.")
    release: ReleaseObject | None
    record: RecordObject | None = Field(description="Null where there is no generator.")
    verification: list[str] = Field(description="How to check the record, step by step.")
    limits: list[str] = Field(description="What this does not prove.")
