"""One unlearning request as a value: everything that decides what a run does. Plain: does not import torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sfd_core.request.concepts import Budget, Forget, forget_to_json
from sfd_core.request.evaluation_plan import EvaluationPlan
from sfd_core.request.recipe import Recipe

MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class UnlearningRequest:
    """What to forget from which model, for how long, how, and what the result must reach: ``thresholds`` by
    criterion, the default where one is left out. ``retain``: prompts that a
    text-to-image model keeps (its vocabulary's or the bundled captions, if there are none)."""

    base_model: str
    forget: tuple[Forget, ...]
    budget: Budget
    recipe: Recipe
    thresholds: Mapping[str, float] = field(default_factory=dict)
    evaluation: EvaluationPlan = field(default_factory=EvaluationPlan)
    seed: int = 0
    retain: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The request with every default written out; :func:`parse_request` reads it back to an equal value."""
        return {
            "base_model": self.base_model,
            "forget": [forget_to_json(item) for item in self.forget],
            **({"retain": {"prompts": list(self.retain)}} if self.retain else {}),
            "budget": dataclasses.asdict(self.budget),
            "recipe": dataclasses.asdict(self.recipe),
            "thresholds": dict(self.thresholds),
            "evaluation": dataclasses.asdict(self.evaluation) | {"probes": list(self.evaluation.probes)},
            "seed": self.seed,
        }
