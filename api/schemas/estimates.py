"""An estimate of a job, as the service shows it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from api.schemas.common import Output
from jobs.estimating import Estimate
from jobs.forecast import Basis, Range


class RangeObject(Output):
    """An estimate: nine of ten are meant to lie from `low` to `high`."""

    low: float
    likely: float
    high: float

    @classmethod
    def of(cls, value: Range, digits: int = 1) -> RangeObject:
        """Describe a range, rounded."""
        return cls(low=round(value.low, digits), likely=round(value.likely, digits), high=round(value.high, digits))


class SecondsObject(Output):
    """Seconds of a job by phase, once it has started."""

    preparing: RangeObject
    training: RangeObject = Field(description="With the run's own checks.")
    evaluating: RangeObject = Field(description="With the probes.")
    publishing: RangeObject
    total: RangeObject


class BasisObject(Output):
    """The jobs that an estimate rests on."""

    of: Basis = Field(
        description="`this_base_model`: jobs of it on this device. `other_base_models`: jobs of others on this device; "
        "ranges are wide. `first_guess`: no job has ended on it, so the figures are a guess, and wide."
    )
    jobs: int
    device: str = Field(description="The kind of device that the job is expected to run on.", examples=["CPU"])
    gpus: int = Field(description="How many train the job together.")


class MemoryObject(Output):
    """Device memory: what training needs, and what there is."""

    needed_bytes: int | None = Field(description="At the least; null where that is not known, as of a hub's model.")
    largest_worker_bytes: int | None = Field(description="Null where no worker is there, or one does not say.")


class QueueObject(Output):
    """The queue, and when the job would start in it."""

    workers: int = Field(description="Workers that are there and have the memory for it.")
    position: int = Field(description="1 is next. Tenants take turns, so later jobs of others may come before it.")
    starts_in_seconds: RangeObject | None = Field(description="Null where no worker would take it.")
    waiting: str | None = Field(description="Why none of the workers that are there would take it; else null.")


class EstimateObject(Output):
    """An estimate of what a job would take. Nothing of it is kept, and no job is made."""

    object: Literal["estimate"] = "estimate"
    base_model: str
    images: RangeObject = Field(description="Images that it is trained on, of at most those of its budget.")
    seconds: SecondsObject
    based_on: BasisObject
    memory: MemoryObject
    queue: QueueObject
    stored_bytes: RangeObject = Field(description="Of its generator and report.")
    cost: RangeObject | None = Field(
        description="Money, in the currency of the service's `LETHE_COST_PER_HOUR`; null where that is not set."
    )
    warnings: list[str] = Field(description="What cannot be decided, whatever the run makes.")

    @classmethod
    def of(
        cls, base_model: str, needed: int | None, found: Estimate, cost_per_hour: float | None, warnings: list[str]
    ) -> EstimateObject:
        """Describe an estimate. ``needed``: device memory, in bytes; ``cost_per_hour``: of a worker."""
        forecast, known = found.forecast, found.forecast.known
        phases = {name: RangeObject.of(each) for name, each in forecast.phases().items()}
        total, starts = forecast.total(), found.starts_in
        return cls(
            base_model=base_model,
            images=RangeObject.of(forecast.images, 0),
            seconds=SecondsObject(total=RangeObject.of(total), **phases),
            based_on=BasisObject(of=known.basis, jobs=len(known.observations), device=known.device, gpus=known.gpus),
            memory=MemoryObject(needed_bytes=needed, largest_worker_bytes=found.largest),
            queue=QueueObject(
                workers=found.workers,
                position=found.position,
                starts_in_seconds=None if starts is None else RangeObject.of(starts),
                waiting=found.waiting,
            ),
            stored_bytes=RangeObject.of(forecast.stored_bytes, 0),
            cost=None if cost_per_hour is None else RangeObject.of(total * (cost_per_hour / 3600), 4),
            warnings=warnings,
        )
