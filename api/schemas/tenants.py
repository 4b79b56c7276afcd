"""A tenant, as it sees itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Literal

from pydantic import Field

from api.schemas.common import Output
from jobs.tenants import Limits


class LimitsObject(Output):
    """Limits of what a tenant may use. Null: as much as there is."""

    queued_jobs: int | None = Field(description="Jobs that wait at once. One more is refused.")
    running_jobs: int | None = Field(description="Jobs that run at once. More wait.")
    training_minutes: int | None = Field(
        description="Minutes in a calendar month (UTC) for which workers hold jobs. Once they are used, new jobs are "
        "refused; those that were accepted run."
    )
    stored_bytes: int | None = Field(
        description="Size of all generators and reports together. Once it is reached, new jobs are refused."
    )
    samples_per_minute: int | None = Field(description="Images in a minute. A request for more is refused.")


class UsageObject(Output):
    """Usage of a tenant now, in the same terms."""

    queued_jobs: int
    running_jobs: int
    training_minutes: float = Field(description="In this month, with what runs now.")
    stored_bytes: int
    samples_per_minute: int = Field(description="In this minute; counted where there is a limit alone.")


class TenantObject(Output):
    """A tenant: whose jobs, generators and reports a key opens."""

    object: Literal["tenant"] = "tenant"
    name: str
    limits: LimitsObject
    usage: UsageObject

    @classmethod
    def of(cls, name: str, limits: Limits, usage: Mapping[str, float]) -> TenantObject:
        """Describe a tenant by what it may use and what it uses."""
        minutes = round(usage["training_minutes"], 2)
        whole = {each: int(value) for each, value in usage.items() if each != "training_minutes"}
        return cls(
            name=name, limits=LimitsObject(**asdict(limits)), usage=UsageObject(training_minutes=minutes, **whole)
        )
