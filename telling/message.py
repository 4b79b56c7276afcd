"""What is told of an event: what happened to which job, and where to read on. Nothing that anybody typed: no prompt, no
concept, no error's text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from jobs.deliveries import Delivery
from jobs.states import EventType

STATUS: Mapping[EventType, str] = {
    EventType.STARTED: "running",
    EventType.SUCCEEDED: "succeeded",
    EventType.FAILED: "failed",
    EventType.CANCELLED: "cancelled",
}
"""What a job is after an event."""


@dataclass(frozen=True)
class Message:
    """A message. ``id``: the same in every try and every redelivery; ``links``: whole URLs where the service knows its
    own (``LETHE_PUBLIC_URL``), else paths."""

    id: str
    type: str
    at: datetime
    job_id: str
    seq: int
    attempt: int
    status: str
    verdict: str | None
    generator: str | None
    error: str | None
    links: Mapping[str, str]

    @classmethod
    def of(cls, delivery: Delivery, public_url: str | None = None) -> Message:
        """Make the message of a delivery: always the same one."""
        base, job = public_url or "", f"/v1/jobs/{delivery.job_id}"
        generator = delivery.data.get("generator")
        links = {"job": f"{base}{job}"}
        if delivery.type is EventType.SUCCEEDED:
            links |= {"report": f"{base}{job}/report", "generator": f"{base}/v1/generators/{generator}"}
        return cls(
            id=delivery.id,
            type=str(delivery.type),
            at=delivery.occurred_at,
            job_id=delivery.job_id,
            seq=delivery.seq,
            attempt=delivery.attempt,
            status=STATUS[delivery.type],
            verdict=delivery.data.get("verdict"),
            generator=generator,
            error=delivery.data.get("error"),
            links=links,
        )

    def body(self) -> bytes:
        """Write it as JSON, in the form of the Standard Webhooks specification: the same bytes every time."""
        data: dict[str, Any] = {
            "object": "job",
            "id": self.job_id,
            "status": self.status,
            "verdict": self.verdict,
            "attempt": self.attempt,
            "seq": self.seq,
            "generator": self.generator,
            "error": self.error,
            "links": dict(self.links),
        }
        at = self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return orjson.dumps({"type": self.type, "timestamp": at, "data": data})

    def words(self) -> str:
        """Say it in one line, for people."""
        more = f", verdict {self.verdict}" if self.verdict else f" ({self.error})" if self.error else ""
        return f"Lethe: job {self.job_id} {'is running' if self.status == 'running' else self.status}{more}"
