"""A generator and samples from it, as the service shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from api.schemas.common import Input, JsonObject, Output
from api.schemas.deletion import Reason
from api.schemas.finding import FindQuery
from api.schemas.jobs import Forgotten
from jobs.finding_generators import GeneratorStatus, WantedGenerators
from jobs.generators import Generator
from sfd_core.evaluation.verdict import Verdict
from sfd_core.request.concepts import Name
from sfd_core.request.prompt_lists import MAX_PROMPT_CHARACTERS
from sfd_core.request.unlearning_request import Seed

MAX_SAMPLES = 64


class FileObject(Output):
    """A file of a generator."""

    sha256: str
    size: int = Field(description="Bytes.")


class GeneratorLinks(Output):
    """Links: paths on this service. A withheld generator is neither sampled nor handed out."""

    self: str
    job: str
    report: str
    record: str
    archive: str | None
    samples: str | None


class ReleaseObject(Output):
    """The release of a generator, which is served although its verdict is not `pass`. It stands in the record, too."""

    by: str
    reason: str
    at: datetime


class GeneratorObject(Output):
    """A one-step generator that a job has made."""

    id: str = Field(examples=["gen_019ab5f0c1de7a6b8c3d2e1f0a9b8c7d"])
    object: Literal["generator"] = "generator"
    status: GeneratorStatus = Field(
        description="`withheld`: its verdict is not `pass` and it was not released, so it is kept but not served."
    )
    verdict: Verdict = Field(description="What the evaluation found. A release does not change it.")
    release: ReleaseObject | None = Field(description="Who released it, why and when, where its verdict is not `pass`.")
    job: str
    base_model: str
    base_model_digest: str
    forget: list[Forgotten]
    takes_prompts: bool = Field(description="Whether it is a text-to-image generator.")
    figures: JsonObject = Field(description="The report in short.")
    digest: str = Field(description="Of every file of the generator.")
    files: dict[str, FileObject]
    created_at: datetime
    links: GeneratorLinks

    @classmethod
    def of(cls, generator: Generator) -> GeneratorObject:
        """Describe a generator as its owner sees it."""
        path, job = f"/v1/generators/{generator.id}", f"/v1/jobs/{generator.job_id}"
        published = generator.status == "published"
        return cls(
            id=generator.id,
            status=generator.status,
            verdict=generator.verdict,
            release=None if generator.release is None else ReleaseObject.model_validate(generator.release),
            job=generator.job_id,
            base_model=generator.base_model,
            base_model_digest=generator.base_model_digest,
            forget=[Forgotten.of(item) for item in generator.forget],
            takes_prompts=generator.takes_prompts,
            figures=dict(generator.figures),
            digest=generator.digest,
            files={name: FileObject(sha256=file.sha256, size=file.size) for name, file in generator.files.items()},
            created_at=generator.created_at,
            links=GeneratorLinks(
                self=path,
                job=job,
                report=f"{job}/report",
                record=f"{path}/record",
                archive=f"{path}/archive" if published else None,
                samples=f"{path}/samples" if published else None,
            ),
        )


class ReleaseRequest(Input):
    """The reason why a generator is to be served although its verdict is not `pass`."""

    reason: Reason = Field(
        description="For whoever reads the record.",
        examples=["Reviewed by hand: what the judge takes for sneakers are ankle boots. Ticket T-123."],
    )


class GeneratorsQuery(FindQuery):
    """The generators that are asked for. What is said of metadata, ticket and concepts is said of the generator's
    job."""

    status: GeneratorStatus | None = Field(default=None, description="Only generators with this status.")

    def wanted(self) -> WantedGenerators:
        """Return what is asked for, whatever page."""
        return WantedGenerators(**self.asked())


class SamplesRequest(Input):
    """The images to draw."""

    concept: Name | None = Field(
        default=None,
        description="A concept of the base model, a forgotten one too. A text-to-image generator is asked for it by "
        "the prompts of its vocabulary.",
        examples=["Sneaker"],
    )
    prompt: Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_CHARACTERS)] | None = Field(
        default=None,
        description="Instead of a concept: what a text-to-image generator is asked for. What its tokenizer does not "
        "hold (77 tokens) has no effect. The log keeps its SHA-256.",
        examples=["a red apple, in the style of noto"],
    )
    n: Annotated[int, Field(ge=1, le=MAX_SAMPLES)] = Field(default=1, description="How many images.")
    seed: Seed | None = Field(
        default=None,
        description="Image i is drawn from `seed + i` alone, whatever `n` is. Left out: one is drawn, and is in the "
        "answer.",
    )
    format: Literal["png", "grid", "json"] = Field(
        default="png", description="`png`: one image (n = 1). `grid`: all in one picture. `json`: each by itself."
    )


class SampleImage(Output):
    """One image."""

    index: int
    seed: int = Field(description="With n = 1, this seed gives the same image.")
    prompt: str | None = Field(description="What it was asked for by; null of a generator that is asked by class.")
    png_base64: str


class SamplesObject(Output):
    """Images of one concept or one prompt."""

    object: Literal["samples"] = "samples"
    generator: str
    concept: str | None
    prompt: str | None
    forgotten: bool = Field(description="Whether what was asked for names what the generator has forgotten.")
    seed: int
    images: list[SampleImage]
