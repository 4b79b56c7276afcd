"""The body of ``POST /v1/jobs``: types and shapes here, meaning in ``sfd_core.admission``, by the code that runs it."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from api.schemas.common import Input
from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.evaluation.probes import PROBES
from sfd_core.request.concepts import MAX_BUDGET_IMAGES, MAX_BUDGET_SECONDS, MAX_WORDS, OVERRIDES
from sfd_core.request.evaluation_plan import EvaluationPlan, ImageCount
from sfd_core.request.prompt_lists import MAX_PROMPT_CHARACTERS, MAX_PROMPTS
from sfd_core.request.recipe import RECIPES, Recipe
from sfd_core.request.unlearning_request import MAX_SEED

MAX_METADATA = 16
Name = Annotated[str, Field(min_length=1, max_length=200)]


def storable(text: str) -> str:
    """Postgres holds no NUL character and no half of a surrogate pair. All other text of a request is looked at by
    ``sfd_core.admission``: it names something that is known, or is a prompt, which holds no control character."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("holds a NUL character or half a surrogate pair")
    return text


Key = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(storable)]
Note = Annotated[str, Field(max_length=500), AfterValidator(storable)]


Prompt = Annotated[str, Field(min_length=1, max_length=MAX_PROMPT_CHARACTERS)]
Prompts = Annotated[list[Prompt], Field(min_length=1, max_length=MAX_PROMPTS)]
Words = Annotated[list[Prompt], Field(min_length=1, max_length=MAX_WORDS)]


class RandomOverride(Input):
    """Each image of the forgotten concept is answered with a remaining concept drawn at random (of a text-to-image
    model: of the same domain)."""

    random: Literal[True]


class JudgeOverride(Input):
    """Each image is answered with the remaining concept that the judge sees in it. Class-conditional models only."""

    judge: Literal[True]


class PromptsOverride(Input):
    """Each image is answered with one of these prompts. Text-to-image models only."""

    prompts: Prompts


class NegativeOverride(Input):
    """Each image is answered with its prompt, the concept's words left out, guided away from this text. Text-to-image
    models only; takes a `recipe.kappa4` above 1."""

    negative: Prompt


class EmptyOverride(Input):
    """Each image is answered with the empty prompt. Text-to-image models only."""

    empty: Literal[True]


def _override(value: Any) -> Any:
    """Only the shape: which names and which objects have a meaning, ``sfd_core.request.concepts`` says."""
    if isinstance(value, str) or (isinstance(value, dict) and all(isinstance(name, str) for name in value)):
        return value
    raise ValueError(OVERRIDES)


AnyOverride = Prompt | RandomOverride | JudgeOverride | PromptsOverride | NegativeOverride | EmptyOverride


class TopicInput(Input):
    """What has no one name: every subject with every keyword is a prompt that is to forget."""

    subjects: Words = Field(examples=[["a woman", "a man"]])
    keywords: Words = Field(examples=[["nude", "without clothes"]])


class ForgetItem(Input):
    """One concept to forget."""

    concept: Name = Field(
        description="A concept of the base model; of a text-to-image model also any other, by its words.",
        examples=["Sneaker", "pistol"],
    )
    override: Annotated[Any, PlainValidator(_override, json_schema_input_type=AnyOverride)] = Field(
        description="What is drawn instead: a remaining concept's name (the words that take the concept's place in a "
        "prompt), a random one, the judge's choice, one of other prompts, the rest of the prompt guided away from a "
        "text, or whatever the empty prompt shows.",
        examples=["Sandal", {"random": True}, {"judge": True}, {"prompts": ["a bowl of fruit"]}, {"negative": "gun"}],
    )
    words: Words | None = Field(
        default=None,
        description="Text-to-image models: the words that name it in a prompt, in any case, singular or plural. Its "
        "name, if left out.",
        examples=[["pistol", "gun"]],
    )
    prompts: Prompts | None = Field(
        default=None,
        description="Text-to-image models: the prompts that are to forget it. Made from templates, if left out.",
    )
    topic: TopicInput | None = Field(default=None, description="Instead of words and prompts.")


class RetainInput(Input):
    """Text-to-image models: what must stay as it is. Prompts that name what is forgotten are left out of it."""

    prompts: Prompts


class BudgetInput(Input):
    """How long to train: whichever limit is met first."""

    images: Annotated[int, Field(ge=1, le=MAX_BUDGET_IMAGES)] = Field(
        description="Generated images to train on.", examples=[6400]
    )
    seconds: Annotated[float, Field(gt=0, le=MAX_BUDGET_SECONDS, allow_inf_nan=False)] | None = Field(
        default=None, description="Seconds of training."
    )
    stop_when_unlearned: bool = Field(
        default=False, description="Stop as soon as the quick evaluation in training finds nothing left to gain."
    )


def _thresholds_schema() -> dict[str, Any]:
    """The thresholds' keys with their defaults and bounds, from the criteria themselves."""
    properties: dict[str, Any] = {}
    for name, spec in CRITERIA.items():
        high = "maximum" if spec.high_allowed else "exclusiveMaximum"
        bounds = {"exclusiveMinimum": spec.low, high: spec.high}
        properties[name] = {"type": "number", "default": spec.default, "description": spec.description, **bounds}
    return {"type": "object", "properties": properties, "additionalProperties": False}


# The names' meaning and bounds, and with them what is refused, are ``sfd_core.evaluation``'s.
Thresholds = Annotated[dict[str, float], WithJsonSchema(_thresholds_schema())]
Probe = Annotated[str, Field(max_length=100), WithJsonSchema({"type": "string", "enum": list(PROBES)})]


class EvaluationInput(Input):
    """How many images are judged, and what is tried beside. More images, narrower intervals."""

    images_per_concept: ImageCount = Field(
        default=EvaluationPlan.images_per_concept, description="For each remaining concept."
    )
    images_per_forgotten_concept: ImageCount = Field(
        default=EvaluationPlan.images_per_forgotten_concept, description="For each forgotten concept."
    )
    probes: Annotated[list[Probe], Field(max_length=20, json_schema_extra={"uniqueItems": True})] = Field(
        default=list(EvaluationPlan.probes),
        description="Attempts to bring a forgotten concept back; each takes half a minute or so. They are reported "
        "and do not change the verdict. "
        + " ".join(f"`{name}`: {spec.summary}." for name, spec in PROBES.items())
        + " They work on class-conditional models.",
    )
    nsfw: bool = Field(
        default=EvaluationPlan.nsfw,
        description="Count what an NSFW detector flags among images asked for what is forgotten. Text-to-image models "
        "only; always done where a topic is forgotten.",
    )


def _recipe_schema() -> dict[str, Any]:
    """The recipe's keys with their defaults, from the recipe itself."""
    kinds = {bool: "boolean", int: "integer", float: "number", str: "string"}
    default = RECIPES["class_unet"]
    properties: dict[str, Any] = {}
    for field in dataclasses.fields(Recipe):
        value = getattr(default, field.name)
        properties[field.name] = {"default": value, "type": kinds.get(type(value), ["integer", "null"])}
    return {"type": "object", "properties": properties, "additionalProperties": False}


class Submission(Input):
    """An unlearning job: what to forget from which model, for how long, and what the result must reach."""

    base_model: Name = Field(
        description="A registered base model (`GET /v1/base-models` lists them), or `hub:org/name@revision` where the "
        "service allows that.",
        examples=["fashion"],
    )
    forget: Annotated[list[ForgetItem], Field(min_length=1, max_length=1000)] = Field(
        description="The concepts to forget, each with what is drawn instead."
    )
    retain: RetainInput | None = Field(
        default=None,
        description="Text-to-image models: the prompts that preserve the rest. If left out, those of the model's "
        "vocabulary, or the captions that come with Lethe.",
    )
    budget: BudgetInput
    recipe: Annotated[dict[str, Any], WithJsonSchema(_recipe_schema())] = Field(
        default={}, description="Hyper-parameters that differ from the family's recipe. Defaults of class_unet shown."
    )
    thresholds: Thresholds = Field(
        default={}, description="What the generator must reach to be released; decided by 95 % intervals."
    )
    evaluation: EvaluationInput = EvaluationInput()
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)] = Field(
        default=0, description="The same request with the same seed gives the same weights on the same hardware."
    )
    metadata: Annotated[dict[Key, Note], Field(max_length=MAX_METADATA)] = Field(
        default={}, description="Your own notes, given back as they are.", examples=[{"ticket": "T-123"}]
    )
