"""A deletion and the tombstone that stays, as the service shows them; and what is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints

from api.schemas.common import Input, Output, storable
from jobs.storage import KINDS, Stored
from jobs.tombstones import Tombstone
from sfd_core.evaluation.verdict import Verdict

MIN_REASON, MAX_REASON = 10, 2000

Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=MIN_REASON, max_length=MAX_REASON),
    AfterValidator(storable),
]


class DeletionRequest(Input):
    """The reason why a job or a generator is to be deleted."""

    reason: Reason = Field(
        description="For whoever reads the tombstone, where it stays: name a ticket rather than a person.",
        examples=["The contract has ended: ticket T-456."],
    )


class TombstoneLinks(Output):
    """Links: paths on this service."""

    self: str
    record: str


class TombstoneObject(Output):
    """A tombstone: what is kept of a job or a generator that was deleted. Nothing of its request is."""

    id: str = Field(examples=["del_019ab5f0c1de7a6b8c3d2e1f0a9b8c7d"])
    object: Literal["tombstone"] = "tombstone"
    deleted: str = Field(
        description="The id of the job or the generator.", examples=["gen_019ab5f0c1de7a6b8c3d2e1f0a9b8c7d"]
    )
    kind: Literal["job", "generator"]
    job: str
    generator: str | None = Field(description="The job's generator: deleted with the job, or alone.")
    base_model: str
    base_model_digest: str
    verdict: Verdict | None = Field(description="What the evaluation had found; null of a job without a report.")
    by: str
    reason: str
    at: datetime
    record_sha256: str | None = Field(description="Of the generator's unlearning record, as it was last.")
    files: dict[str, str] = Field(description="The SHA-256 of every file that was deleted, by its name in the archive.")
    bytes: int = Field(description="Of those files; of a job without those that its generator's tombstone has.")
    files_removed_at: datetime | None = Field(
        description="When the last of them had gone from the artefact store. Null until a worker has removed them, "
        "seconds later."
    )
    descendants: list[str] = Field(description="Jobs that started from the generator. They stay.")
    links: TombstoneLinks

    @classmethod
    def of(cls, tombstone: Tombstone) -> TombstoneObject:
        """Describe a tombstone by what was signed."""
        path = f"/v1/tombstones/{tombstone.deleted}"
        said = asdict(tombstone.deletion)
        return cls(
            id=tombstone.id,
            kind=tombstone.kind,
            files=dict(tombstone.files),
            bytes=tombstone.bytes,
            files_removed_at=tombstone.files_removed_at,
            links=TombstoneLinks(self=path, record=f"{path}/record"),
            **said | {"at": datetime.fromisoformat(said["at"]), "descendants": list(said["descendants"])},
        )


class StoredObject(Output):
    """An amount of one kind that is stored."""

    objects: int = Field(description="Generators, reports, deletions or work folders.")
    bytes: int


class StorageObject(Output):
    """A tenant's storage by kind."""

    object: Literal["storage"] = "storage"
    published: StoredObject = Field(description=KINDS["published"])
    withheld: StoredObject = Field(description=KINDS["withheld"])
    reports: StoredObject = Field(description=KINDS["reports"])
    leftovers: StoredObject = Field(description=KINDS["leftovers"])
    work: StoredObject = Field(description=KINDS["work"])

    @classmethod
    def of(cls, usage: Mapping[str, Stored]) -> StorageObject:
        """Describe what is stored."""
        return cls.model_validate({kind: asdict(stored) for kind, stored in usage.items()})
