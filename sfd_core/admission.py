"""A request against a model: every check, once. Plain: does not import torch.

The service stores :meth:`UnlearningRequest.to_json` with the job; the process that trains reads it back with
:func:`parse_request`. Both go through the same checks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import Collected, FieldError, InvalidRequest
from sfd_core.evaluation.criteria import complete
from sfd_core.evaluation.probes import check_probes
from sfd_core.prompts.items import check_guidance, check_items
from sfd_core.prompts.plan import plan_prompts
from sfd_core.request.concepts import Budget, check_forgetting, parse_forget
from sfd_core.request.evaluation_plan import EvaluationPlan
from sfd_core.request.prompt_lists import check_prompts
from sfd_core.request.recipe import parse_recipe
from sfd_core.request.unlearning_request import MAX_SEED, UnlearningRequest


def parse_request(body: Mapping[str, Any], model: BaseModel) -> UnlearningRequest:
    """The request in ``body`` (types as in the API's schema), checked against ``model``.

    Raises:
        InvalidRequest: with every wrong field, not only the first.
    """
    collected = Collected()
    attempt, errors = collected.attempt, collected.errors

    text = model.family == "stable_diffusion"
    items = [
        attempt(lambda i=i, item=item: parse_forget(item, f"/forget/{i}")) for i, item in enumerate(body["forget"])
    ]
    forget = tuple(item for item in items if item is not None)
    if len(forget) == len(items):
        attempt(lambda: check_items(forget, model) if text else check_forgetting(forget, model.concepts))
    retain = attempt(lambda: _retain(body.get("retain"), text)) or ()
    budget = attempt(lambda: Budget(**body["budget"]))
    recipe = attempt(lambda: parse_recipe(model.family, body.get("recipe") or {}, model.recipe))
    thresholds = attempt(lambda: complete(body.get("thresholds") or {}))
    plan = dict(body.get("evaluation") or {})
    probes = tuple(plan.get("probes") or ())
    attempt(lambda: check_probes(probes))
    evaluation = attempt(lambda: EvaluationPlan(**plan | {"probes": probes}))
    if evaluation is not None:
        attempt(lambda: _check_evaluation(evaluation, text))
    seed = body.get("seed", 0)
    if not 0 <= seed <= MAX_SEED:
        errors.append(FieldError("/seed", f"must be from 0 to {MAX_SEED}, not {seed}"))
    if recipe is not None and forget and len(forget) > recipe.forgotten_count:
        message = f"{len(forget)} forgotten concepts need at least as many forgotten images a step; there are "
        errors.append(FieldError("/recipe/forgotten_share", f"{message}{recipe.forgotten_count} of {recipe.batch}"))
    if recipe is not None and text:
        attempt(lambda: check_guidance(forget, recipe))
    if recipe is not None and budget is not None and recipe.distil_images >= budget.images:
        message = f"{recipe.distil_images} leaves nothing of budget.images {budget.images} to forget with"
        errors.append(FieldError("/recipe/distil_images", message))
    if errors:
        raise InvalidRequest(tuple(errors))
    request = UnlearningRequest(model.name, forget, budget, recipe, thresholds, evaluation, seed, retain)
    if text:
        _check_stopping(request, model)
        plan_prompts(request, model)
    return request


def _retain(raw: Mapping[str, Any] | None, text: bool) -> tuple[str, ...]:
    """The prompts of a request's ``retain``."""
    if raw is None:
        return ()
    if not text:
        message = "means something to text-to-image models only: every other concept of this one is retained"
        raise InvalidRequest((FieldError("/retain", message),))
    return check_prompts(raw["prompts"], "/retain/prompts")


def _check_stopping(request: UnlearningRequest, model: BaseModel) -> None:
    """Refuse to stop at what nobody would see: only a base model's own judge looks while a run trains."""
    if request.budget.stop_when_unlearned and model.view_for(request.forget).judge is None:
        message = "no judge of this model knows what is forgotten, so nothing would stop the run: leave it out"
        raise InvalidRequest((FieldError("/budget/stop_when_unlearned", message),))


def _check_evaluation(evaluation: EvaluationPlan, text: bool) -> None:
    """Refuse what the model's family cannot be asked."""
    if text and evaluation.probes:
        message = "probes work on generators of class-conditional models: leave them out"
        raise InvalidRequest((FieldError("/evaluation/probes", message),))
    if evaluation.nsfw and not text:
        message = "an NSFW rate is measured on prompts, which only text-to-image models take: leave it out"
        raise InvalidRequest((FieldError("/evaluation/nsfw", message),))
