"""The body of ``POST /v1/jobs``: the request itself, which ``sfd_core.admission`` reads and checks, and notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainValidator,
    TypeAdapter,
    WithJsonSchema,
)
from pydantic_core import CoreSchema

from api.schemas.case import CaseBody
from api.schemas.common import an_object
from jobs.priorities import Priority
from jobs.webhooks import FINISHED, TOLD, named_events
from sfd_core.evaluation.criteria import CRITERIA
from sfd_core.evaluation.probe import ProbeSpec
from sfd_core.evaluation.probes import KINDS, PROBES
from sfd_core.request.concepts import Budget
from sfd_core.request.evaluation_plan import EvaluationPlan
from sfd_core.request.reading import Text, known_fields_only
from sfd_core.request.recipe import Recipe
from sfd_core.request.unlearning_request import UnlearningRequest
from telling.addresses import MAX_URL

MAX_METADATA = 16


Key = Annotated[str, Field(min_length=1, max_length=100)]
Note = Annotated[str, Field(max_length=500)]
Metadata = Annotated[dict[Key, Note], Field(max_length=MAX_METADATA)]


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


def _told(spec: ProbeSpec) -> str:
    """A probe and what it works on, where that is not every model."""
    only = "" if len(spec.works_on) == len(KINDS) else f" ({KINDS[spec.works_on[0]]} only)"
    return f"`{spec.name}`: {spec.summary}{only}."


class _NamedProbes:
    """An annotation: an evaluation plan whose probes are those that there are."""

    def __get_pydantic_json_schema__(self, source: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(source)
        probes = handler.resolve_ref_schema(schema)["properties"]["probes"]
        probes["items"] = {"type": "string", "enum": list(PROBES)}
        probes["uniqueItems"] = True
        probes["description"] += " " + " ".join(_told(spec) for spec in PROBES.values())
        return schema


@dataclass(frozen=True)
class _ReadAs:
    """An annotation: read by another type than the program has, before the base model is known."""

    kind: Any

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(self.kind)


_LIMITS = Annotated[dict[str, Any], WithJsonSchema(TypeAdapter(Budget).json_schema())]
"""A budget is whole once the model's family has filled it up."""
_CHANGES = Annotated[dict[str, Any], WithJsonSchema(TypeAdapter(Recipe).json_schema())]
"""A recipe is whole once the base model has filled it up."""


@known_fields_only
@dataclass(frozen=True)
class JobWebhook:
    """A webhook that is told of this job alone."""

    url: Annotated[
        Text,
        Field(
            min_length=1,
            max_length=MAX_URL,
            description="Where a signed POST is sent. Addresses that are not of the public internet are refused, "
            "unless the service's operator allows them.",
        ),
    ]
    events: Annotated[
        tuple[str, ...],
        AfterValidator(named_events),
        Field(max_length=10, description="What is told. `job.finished` stands for the three ends of a job."),
        WithJsonSchema({"type": "array", "items": {"type": "string", "enum": [FINISHED, *TOLD]}, "maxItems": 10}),
    ] = (FINISHED,)


@known_fields_only
@dataclass(frozen=True)
class Submission(UnlearningRequest):
    """An unlearning job: what to forget from which model, for how long, and what the result must reach."""

    budget: Annotated[
        Budget,
        _ReadAs(_LIMITS),
        Field(description="The most that training may take, and whether it ends once its own check passes."),
    ] = field(default_factory=Budget)
    recipe: Annotated[
        Recipe,
        _ReadAs(_CHANGES),
        Field(description="Hyper-parameters that differ from the family's recipe. Defaults of class_unet shown."),
    ] = field(default_factory=Recipe)
    thresholds: Annotated[
        Mapping[str, float],
        _ReadAs(Thresholds),
        Field(description="What the generator must reach to be released; decided by 95 % intervals."),
    ] = field(default_factory=dict)
    evaluation: Annotated[EvaluationPlan, _NamedProbes()] = field(default_factory=EvaluationPlan)
    metadata: Annotated[
        Metadata,
        Field(description="Your own notes, given back as they are.", examples=[{"team": "trust-and-safety"}]),
    ] = field(default_factory=dict)
    webhook: Annotated[
        JobWebhook | None,
        Field(description="Told of this job. The secret that it signs with is in the answer, this once."),
    ] = None
    case: Annotated[CaseBody | None, Field(description="The request for removal that it answers.")] = None
    priority: Annotated[
        Priority,
        Field(
            description="Which of your jobs goes first: an urgent one before a normal one and that before a low one, "
            "unless the lower has waited seven days longer. Between tenants it changes nothing.",
        ),
    ] = Priority.NORMAL


class Changes(BaseModel):
    """An earlier job's request with changes: objects are changed member by member, all else, lists too, is replaced.
    Any field of a `Submission` may be among them."""

    model_config = ConfigDict(extra="allow")

    like: str = Field(
        description="The job whose request, with metadata, case and priority, is changed: as by a merge patch "
        "(RFC 7396), null removes. With another `base_model` it begins there, and its recipe anew.",
        examples=["job_019ab5f0c1de7a6b8c3d2e1f0a9b8c7d"],
    )


Body = Annotated[Mapping[str, Any], PlainValidator(an_object, json_schema_input_type=Submission | Changes)]
"""A body as it came, in the schema a :class:`Submission` or :class:`Changes`: admission reads it, once and with every
mistake."""
