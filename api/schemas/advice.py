"""Advice on a job, as the service shows it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.common import JsonObject, Output
from jobs.advice import Advice


class AdviceObject(Output):
    """One thing to try after a job that did not pass."""

    object: Literal["advice"] = "advice"
    why: str = Field(description="The criteria with their figures, and what speaks for the change; a line each.")
    change: JsonObject = Field(description="What of the job's request is changed.")
    request: JsonObject = Field(description="The body of a submission: `like` the job, with the change.")

    @classmethod
    def of(cls, advice: Advice) -> AdviceObject:
        """Describe advice as it goes over the wire."""
        return cls(why=advice.why, change=dict(advice.change), request=dict(advice.request))
