"""One unlearning request as a value: everything that decides what a run does. Plain: does not import torch.

The service stores :meth:`UnlearningRequest.to_json` with the job; the process that trains reads it back with
:func:`parse_request`. Both go through the same checks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.evaluation.verdict import EvaluationPlan, Thresholds
from sfd_core.forgetting import Budget, Forget, check_forgetting, override_to_json, parse_override
from sfd_core.manifest import BaseModel
from sfd_core.recipe import Recipe, parse_recipe

MAX_SEED = 2**63 - 1


@dataclass(frozen=True)
class UnlearningRequest:
    """What to forget from which model, for how long, how, and what the result must reach."""

    base_model: str
    forget: tuple[Forget, ...]
    budget: Budget
    recipe: Recipe
    thresholds: Thresholds = field(default_factory=Thresholds)
    evaluation: EvaluationPlan = field(default_factory=EvaluationPlan)
    seed: int = 0

    def to_json(self) -> dict[str, Any]:
        """The request with every default written out; :func:`parse_request` reads it back to an equal value."""
        return {
            "base_model": self.base_model,
            "forget": [{"concept": f.concept, "override": override_to_json(f.override)} for f in self.forget],
            "budget": dataclasses.asdict(self.budget),
            "recipe": dataclasses.asdict(self.recipe),
            "thresholds": dataclasses.asdict(self.thresholds),
            "evaluation": dataclasses.asdict(self.evaluation) | {"probes": list(self.evaluation.probes)},
            "seed": self.seed,
        }


def parse_request(body: Mapping[str, Any], model: BaseModel) -> UnlearningRequest:
    """The request in ``body`` (types as in the API's schema), checked against ``model``.

    Raises:
        InvalidRequest: with every wrong field, not only the first.
    """
    errors: list[FieldError] = []

    def attempt(make: Any) -> Any:
        try:
            return make()
        except InvalidRequest as error:
            errors.extend(error.errors)
            return None

    items = [
        attempt(
            lambda i=i, item=item: Forget(item["concept"], parse_override(item["override"], f"/forget/{i}/override"))
        )
        for i, item in enumerate(body["forget"])
    ]
    forget = tuple(item for item in items if item is not None)
    if len(forget) == len(items):
        attempt(lambda: check_forgetting(forget, model.concepts))
    budget = attempt(lambda: Budget(**body["budget"]))
    recipe = attempt(lambda: parse_recipe(model.family, body.get("recipe") or {}))
    thresholds = attempt(lambda: Thresholds(**(body.get("thresholds") or {})))
    plan = dict(body.get("evaluation") or {})
    evaluation = attempt(lambda: EvaluationPlan(**plan | {"probes": tuple(plan.get("probes") or ())}))
    seed = body.get("seed", 0)
    if not 0 <= seed <= MAX_SEED:
        errors.append(FieldError("/seed", f"must be from 0 to {MAX_SEED}, not {seed}"))
    if recipe is not None and forget and len(forget) > recipe.forgotten_count:
        message = f"{len(forget)} forgotten concepts need at least as many forgotten images a step; there are "
        errors.append(FieldError("/recipe/forgotten_share", f"{message}{recipe.forgotten_count} of {recipe.batch}"))
    if recipe is not None and budget is not None and recipe.distil_images >= budget.images:
        message = f"{recipe.distil_images} leaves nothing of budget.images {budget.images} to forget with"
        errors.append(FieldError("/recipe/distil_images", message))
    if errors:
        raise InvalidRequest(tuple(errors))
    return UnlearningRequest(model.name, forget, budget, recipe, thresholds, evaluation, seed)
