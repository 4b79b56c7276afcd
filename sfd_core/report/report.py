"""The report, typed: what ``report.json`` holds, field by field. Its JSON Schema, the component of the OpenAPI document
and the client's types are made from these dataclasses and from the parts of the sections
(``sfd_core.evaluation.sections``), whose fields are fields of the report too.

Plain: importing this does not import torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from annotated_types import Ge, MinLen
from pydantic import Field, GetCoreSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema
from typing_extensions import TypedDict

from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.evaluation.field_types import Count, Digest, OverrideJson, Positive, Sha256, Share, not_said
from sfd_core.evaluation.judge_facts import EvaluatorFacts, JudgeFacts
from sfd_core.evaluation.parts import Parts
from sfd_core.evaluation.probe import Probes
from sfd_core.evaluation.sections import SECTIONS
from sfd_core.evaluation.verdict import Criterion, Verdict
from sfd_core.request.concepts import Budget
from sfd_core.request.evaluation_plan import EvaluationPlan
from sfd_core.request.recipe import Recipe

SCHEMA_VERSION: Literal[5] = 5
T = TypeVar("T")


@dataclass(frozen=True)
class SourceFacts:
    """The source of the images that were measured."""

    kind: Literal["one_step", "few_steps", "many_steps", "refusal"]
    """one_step: a one-step generator, what Lethe makes. few_steps: one of a few steps, with fresh noise between them.
    many_steps: a diffusion model sampled in many steps. refusal: the base model behind a filter that refuses the
    label."""
    network_evaluations: Count
    """Evaluations of the network that one image takes."""
    title: str
    """What was measured, for people."""


@dataclass(frozen=True)
class BaseModelFacts:
    """The model that was to forget, which is also what the generator is compared with (papers call it the teacher)."""

    name: str
    """As it is registered."""
    title: str
    """For people."""
    digest: Digest
    """SHA-256 over its files and their names."""
    license: str
    """Licence of the base model."""


@dataclass(frozen=True)
class AskedConcept:
    """The prompts by which the images of one concept were asked for. Image i of a concept is asked by a prompt that the
    concept and the image's seed alone decide."""

    concept: str
    """The concept."""
    prompts: tuple[str, ...]
    """Examples, from the first seeds on."""


@dataclass(frozen=True)
class ForgottenTopic:
    """Prompts made of every subject with every keyword."""

    subjects: tuple[str, ...]
    """What the prompts are about."""
    keywords: tuple[str, ...]
    """The words that are to be forgotten."""


@dataclass(frozen=True)
class ForgottenConcept:
    """A concept that was to be forgotten, and its override."""

    concept: str
    """What was to be forgotten."""
    override: OverrideJson | None
    """What is to be shown in its place; null for an external generator whose override is not stated."""
    words: tuple[str, ...] | None = None
    """Text to image: the words that stand for the concept in prompts; null: its name."""
    prompts: tuple[str, ...] | None = None
    """Text to image: the prompts to be forgotten, where the request gave them."""
    topic: ForgottenTopic | None = None
    """Text to image: prompts made of every subject with every keyword."""


@dataclass(frozen=True)
class RetainedPrompts:
    """The prompts that were to be kept."""

    prompts: tuple[str, ...]
    """Prompts to preserve."""


@dataclass(frozen=True)
class CutPrompt:
    """A prompt that is longer than the text encoder reads."""

    prompt: str
    """The whole prompt."""
    cut: str
    """Its end, which was cut off."""


@dataclass(frozen=True)
class PromptCounts:
    """The number of prompts that a text-to-image run was trained with, and what of them could not be read."""

    forgotten: tuple[Annotated[int, Ge(1)], ...]
    """Prompts to forget, for each forgotten concept in the order of `forget`."""
    retained: Count
    """Prompts to retain."""
    dropped: Count
    """Prompts to retain that were dropped because they mention what is forgotten."""
    cut: tuple[CutPrompt, ...]
    """Prompts that are longer than the text encoder reads."""


@dataclass(frozen=True)
class TextTraining:
    """The training of a text-to-image run: what it was trained with."""

    prompts: PromptCounts
    """How many prompts, and what of them could not be read."""
    start: Literal["distilled", "base_model"]
    """distilled: generator and fake score started as the base model's distilled pair. base_model: as copies of it."""


@dataclass(frozen=True)
class TrainingMoment:
    """A quick evaluation in training, on few images."""

    step: Count
    """Step of training."""
    images: Count
    """Generated images trained on by then."""
    seconds: Positive
    """Seconds of training by then."""
    unlearning_accuracy: Share | None
    """Of the forgotten concept where it is lowest; null where nothing was forgotten yet."""
    retained_accuracy: Share
    """Over the remaining concepts."""
    good: bool
    """Whether both were as near to the thresholds as so few images can tell: after two such in a row a run checks
    itself."""
    loss_generator: float | None
    """The generator's loss of the step before; it may be negative."""
    loss_fake_score: float | None
    """The fake score's loss of the step before."""


@dataclass(frozen=True)
class TrainingCheck:
    """A check in training: would the report pass by now? On other images than the report's."""

    step: Count
    """Steps by then."""
    images: Count
    """Generated images trained on by then."""
    seconds: Positive
    """Wall time of the check itself."""
    made: Count
    """Images that it looked at."""
    missing: tuple[str, ...]
    """What did not pass, or passed too narrowly, in a sentence a criterion; empty where the check passed, which ends
    the training."""


@dataclass(frozen=True)
class StripMoment:
    """One block of the picture `strip`."""

    share: Share
    """Share of the budget; 1 is the end of the training, also where that came earlier."""
    images: Count
    """Generated images trained on by then."""


@dataclass(frozen=True)
class SamplingSpeed:
    """Sampling speed beside the base model's."""

    generator_images_per_second: Positive
    """Images a second of the generator."""
    base_model_images_per_second: Positive
    """Images a second of the base model with its own sampler."""
    ratio: Positive
    """The one over the other, measured in the same run."""
    generator_network_evaluations: Count
    """Network evaluations an image of the generator."""
    base_model_network_evaluations: Count
    """Network evaluations an image of the base model."""
    device: str
    """Where it was measured."""


Ended = Literal["passed_check", "images", "seconds"]


@dataclass(frozen=True)
class TrainingCost:
    """The cost of a run."""

    seconds: Mapping[str, Positive]
    """Wall time by phase: `training` are its steps, `checking` its own checks that it would pass, `looking` the quick
    evaluations, pictures and checkpoints on the way; `evaluating` is this report, but for writing it, and
    `probing` what the probes took of that. Steps and checks of all attempts, the others of the last."""
    images: Count
    """Generated images trained on."""
    steps: Count
    """Steps of training."""
    images_per_second: Positive
    """Images a second in training."""
    peak_memory_bytes: Count
    """Peak memory of the process, or of the GPU where there is one."""
    device: str
    """Where it was trained."""
    ended: Ended | None = None
    """Why training ended. `passed_check`: its own check said that the report will pass; `images`, `seconds`: that limit
    of the budget was met."""


@dataclass(frozen=True)
class GeneratorFiles:
    """The files that were measured."""

    digest: Digest
    """SHA-256 over its files and their names."""
    files: Mapping[str, Sha256]
    """SHA-256 of each file, by its name in the generator's folder."""


@dataclass(frozen=True)
class ScoresFile:
    """The file of what each judge said of every judged image, so that each rate can be counted again."""

    file: str
    """Its name in the report's folder."""
    sha256: Sha256
    """SHA-256 of the file."""
    images: Count
    """How many images it holds the scores of."""


@dataclass(frozen=True, kw_only=True)
class DomainReport:
    """The measurements in one domain, of what was forgotten there: the same fields as the report has of the first."""

    domain: str
    """Its name."""
    asked_by: tuple[AskedConcept, ...] | None
    """The first prompts that the images of each concept were asked for by."""
    judge: JudgeFacts | None
    """The judge that every decision in this domain rests on."""
    second_judge: JudgeFacts | None
    """Of another architecture and trained apart; null where this domain has none."""
    scores: ScoresFile | None = None
    """What each judge said of every image that was judged in this domain."""


class _DomainReports:
    """Those of every domain but the first, with the fields of every section's part."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        made: Any = domain_report_type()
        return handler.generate_schema(tuple[made, ...])


class _ByCriterion:
    """A threshold for each criterion that there is."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        fields = {name: Annotated[float, Field(description=spec.description)] for name, spec in CRITERIA.items()}
        return handler.generate_schema(TypedDict("ReportThresholds", fields))  # type: ignore[operator]


@dataclass(frozen=True, kw_only=True)
class Report:
    """The measurements of an evaluation of a generator, and what made them. Shares are from 0 to 1, seconds are wall
    time. docs/report.md says how each figure is computed again."""

    schema_version: Literal[5] = SCHEMA_VERSION
    """A change that an older reader would misread gets a new number."""
    created_at: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    """When the evaluation ended, ISO 8601 with its zone."""
    subject: SourceFacts
    """What was measured. The same report is made of external generators; `budget`, `recipe`, `text`,
    `curves`, `checks`, `strip`, `cost` and `generator` may then be null."""
    base_model: BaseModelFacts
    """The model that was to forget, which is also what the generator is compared with."""
    domain: str | None
    """In which domain of a text-to-image model the forgotten concepts lie, and are judged; null for a model without
    domains. Where they lie in several: the first one's, which the sections here are of; `further_domains` has those of
    the others."""
    asked_by: tuple[AskedConcept, ...] | None
    """Text to image: the first prompts that the images of each concept were asked for by. Null where images are asked
    for by class label."""
    forget: Annotated[tuple[ForgottenConcept, ...], MinLen(1)]
    """What was to be forgotten, as the request asked for it."""
    retain: RetainedPrompts | None
    """Text to image: the prompts that the request wanted preserved. Null where it named none: then the vocabulary's
    own, or the bundled captions."""
    seed: Count
    """Seed of the training. Image i of class label k in the evaluation is made from seed 1000000000 + 1000000 k + i,
    whatever this is."""
    thresholds: Annotated[Mapping[str, float], _ByCriterion()]
    """Acceptance thresholds, by criterion. Fixed before the run."""
    evaluation: EvaluationPlan
    """How many images are evaluated, and which probes run. Fixed before the run."""
    verdict: Verdict
    """fail if any criterion fails, else inconclusive if any is, else pass: over all domains, the worst."""
    domain_verdicts: Annotated[Mapping[str, Verdict], Field(exclude_if=not_said)] = field(default_factory=dict)
    """The verdict of each domain's own criteria, where what was forgotten lies in several; else it is left out."""
    further_domains: Annotated[tuple[DomainReport, ...], _DomainReports(), Field(exclude_if=not_said)] = ()
    """What was measured in each domain but the first, where what was forgotten lies in several; else it is left out."""
    criteria: Annotated[tuple[Criterion, ...], MinLen(1)]
    """Why the verdict is what it is."""
    judge: JudgeFacts | None
    """The judge that every decision rests on; null where the base model has none and no CLIP weights stood in for it:
    nothing is decided then."""
    second_judge: JudgeFacts | None
    """Of another architecture and trained apart; null where the base model ships none. Both must pass, and it shows
    where the first may be wrong."""
    probes: Probes = field(default_factory=Probes)
    """Attempts to bring a forgotten concept back. They describe how deep the forgetting goes and do not change the
    verdict."""
    evaluators: tuple[EvaluatorFacts, ...]
    """Everything that judged or measured, with its digest."""
    versions: Mapping[str, str]
    """Versions of this software and of what it computes with."""
    budget: Budget | None = None
    """How long to train. Null for an external generator."""
    recipe: Recipe | None = None
    """Every hyper-parameter of the training. Null for an external generator."""
    text: TextTraining | None = None
    """Prompts of the training of a text-to-image run. Null for class-conditional models and external
    generators."""
    curves: tuple[TrainingMoment, ...] | None = None
    """Quick evaluations in training. Null for an external generator."""
    checks: tuple[TrainingCheck, ...] | None = None
    """Checks in training, the last of which may have ended it. Null for an external generator."""
    strip: tuple[StripMoment, ...] | None = None
    """The moments that the picture `strip` shows. Null for an external generator."""
    speed: SamplingSpeed | None = None
    """Sampling speed beside the base model's."""
    cost: TrainingCost | None = None
    """What the run took. Null for an external generator."""
    generator: GeneratorFiles | None = None
    """The files that were measured. Null for an external generator."""
    scores: ScoresFile | None = None
    """What each judge said of every judged image, so that each rate can be counted again."""
    limits: tuple[str, ...] = ()
    """What this report does not say, in plain sentences."""
    rerun: tuple[str, ...] = ()
    """Shell commands that repeat the run and the evaluation."""
    pictures: Mapping[str, Annotated[str, Field(pattern=r"\.png$")]] = field(default_factory=dict)
    """File names by role: `pairs` and `strip`, each with a `_narrow` version for phones, and `probe_<probe>_<k>` with
    examples of the k-th forgotten concept. `pairs_<domain>`: of each domain but the first."""


@cache
def report_type() -> type[Report]:
    """Make :class:`Report` with the fields of every section's part."""
    return _with_sections(Report)


@cache
def domain_report_type() -> type[DomainReport]:
    """Make :class:`DomainReport` with the fields of every section's part."""
    return _with_sections(DomainReport)


def _with_sections(frame: type[T]) -> type[T]:
    bases: tuple[type[Any], ...] = (frame, *(section.part for section in SECTIONS))
    names = [one.name for base in bases for one in dataclasses.fields(base)]
    if twice := {name for name in names if names.count(name) > 1}:
        raise TypeError(f"fields of a report that two sections bring: {', '.join(sorted(twice))}")
    return dataclasses.make_dataclass(
        frame.__name__, [], bases=bases, frozen=True, namespace={"__doc__": frame.__doc__}
    )


def compose(parts: Parts, **fields: Any) -> Report:
    """Make the report of what sections measured and of its other ``fields``."""
    return report_type()(**fields, **_measured(parts))


def compose_domain(parts: Parts, **fields: Any) -> DomainReport:
    """Make the part of a report that is about one domain, of what sections measured there and of its other
    ``fields``."""
    return domain_report_type()(**fields, **_measured(parts))


def _measured(parts: Parts) -> dict[str, Any]:
    return {one.name: getattr(each, one.name) for each in parts.found for one in dataclasses.fields(each)}


@cache
def adapter() -> TypeAdapter[Report]:
    """Return the adapter between typed reports and JSON."""
    return TypeAdapter(report_type())


def to_json(report: Report) -> dict[str, Any]:
    """Return the report as ``report.json`` holds it."""
    written: dict[str, Any] = adapter().dump_python(report, mode="json")
    return written


def from_json(written: Mapping[str, Any]) -> Report:
    """Read the report that :func:`to_json` wrote.

    Raises:
        pydantic.ValidationError: for anything else.
    """
    return adapter().validate_python(dict(written))
