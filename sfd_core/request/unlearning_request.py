"""One unlearning request as a value: everything that decides what a run does. Plain: does not import torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from sfd_core.request.concepts import MAX_CONCEPTS, Budget, Forget, Name, Retain
from sfd_core.request.evaluation_plan import EvaluationPlan
from sfd_core.request.parent import Parent
from sfd_core.request.reading import Number, Whole, known_fields_only, not_given
from sfd_core.request.recipe import Recipe
from sfd_core.request.undone import Undone

MAX_SEED = 2**32 - 1
"""The largest that means something of its own: torch's generator on a CPU reads the lower 32 bits of a seed."""
Seed = Annotated[Whole, Field(ge=0, le=MAX_SEED)]


@known_fields_only
@dataclass(frozen=True)
class UnlearningRequest:
    """A request: what to forget from which model, for how long, how, and what the result must reach: ``thresholds`` by
    criterion, the default where one is left out.

    ``sfd_core.admission.admit`` makes it of what a user sends; ``reading.written`` gives its JSON with every default
    written out, which a job stores, a record states and ``admit`` reads again.
    """

    base_model: Annotated[
        Name,
        Field(
            description="A registered base model (`GET /v1/base-models` lists them), or `hub:org/name@revision` where "
            "the service allows that.",
            examples=["fashion"],
        ),
    ]
    forget: Annotated[
        tuple[Forget, ...],
        Field(
            min_length=1,
            max_length=MAX_CONCEPTS,
            description="The concepts to forget, each with what is drawn instead.",
        ),
    ]
    budget: Budget
    recipe: Recipe
    thresholds: Mapping[str, Number] = field(default_factory=dict)
    evaluation: EvaluationPlan = field(default_factory=EvaluationPlan)
    seed: Annotated[
        Seed,
        Field(description="The same request with the same seed gives the same weights on the same hardware."),
    ] = 0
    retain: Annotated[
        Retain | None,
        Field(
            description="Text-to-image models: the prompts that preserve the rest. If left out, those of the model's "
            "vocabulary, or the captions that come with Lethe.",
            exclude_if=not_given,
        ),
    ] = None
    parent: Annotated[
        Parent | None,
        Field(
            description="The published generator that the run goes on from. Written by the service, where `base_model` "
            "names one.",
            exclude_if=not_given,
        ),
    ] = None
    undoes: Annotated[
        Undone | None,
        Field(
            description="What a published generator has forgotten and this run does not: the report says how often "
            "that is drawn again. `lethe undo` writes it.",
            exclude_if=not_given,
        ),
    ] = None

    @property
    def kept(self) -> frozenset[str]:
        """The concepts of ``forget`` that the parent had forgotten: they are kept forgotten."""
        return frozenset() if self.parent is None else frozenset(self.parent.kept)
