"""A request against a model: every check, once. Plain: does not import torch.

:func:`admit` makes everything that is known before a run: the request with every default written out and, of a
text-to-image model, the plan of its prompts. A service stores the request's JSON with the job; the process that trains
admits that again, against the base model that it found.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import Collected, FieldError, InvalidRequest
from sfd_core.evaluation.criteria import complete
from sfd_core.evaluation.criteria.unlearning_accuracy import CRITERION as UNLEARNING
from sfd_core.evaluation.criteria.unlearning_accuracy import images_that_decide
from sfd_core.evaluation.probes import check_probes
from sfd_core.families.description import Description
from sfd_core.families.registry import describe
from sfd_core.prompts.items import check_guidance, check_items
from sfd_core.prompts.names import by_plain_name
from sfd_core.prompts.plan import PromptPlan, plan_prompts
from sfd_core.request.concepts import Budget, Forget, Retain, check_forgetting
from sfd_core.request.evaluation_plan import EvaluationPlan, images_of_each
from sfd_core.request.overrides.judge import JudgeOverride
from sfd_core.request.parent import Parent
from sfd_core.request.reading import read, read_right_fields
from sfd_core.request.recipe import Recipe, completed
from sfd_core.request.undone import Undone
from sfd_core.request.unlearning_request import UnlearningRequest
from sfd_core.suggestions import unknown

NOT_THE_RUNS = frozenset({"metadata", "webhook", "case", "priority"})
"""What a body may hold beside the request: a service's, which decides nothing of a run."""


@dataclass(frozen=True)
class Admitted:
    """A request that can be run on ``model``, which is seen in the domain of what is forgotten if it has domains.
    ``plan``: the prompts that a text-to-image model is asked; None of one that is asked by class."""

    request: UnlearningRequest
    model: BaseModel
    plan: PromptPlan | None


def admit(body: Mapping[str, Any], model: BaseModel, kept: Sequence[Mapping[str, Any]] = ()) -> Admitted:
    """Check the request in ``body``, as JSON has it, against ``model``, by whose name it then goes. Recipe and budget
    may be partial or left out: the model's own recipe and the family's budget fill them up. What is
    :data:`NOT_THE_RUNS` is left out. ``kept``: what its parent has forgotten, as the request of that has it written
    out, where that is known; it must be asked for as it was.

    Raises:
        InvalidRequest: with every wrong field, not only the first.
    """
    family = describe(model.family)
    text = family.takes_prompts
    changes = body.get("recipe", {})
    whole = completed(family.recipe, model.recipe, changes) if isinstance(changes, Mapping) else changes
    limits = body.get("budget", {})
    budgeted = {"images": family.budget_images, **limits} if isinstance(limits, Mapping) else limits
    asked = {name: value for name, value in body.items() if name not in NOT_THE_RUNS}
    completed_parts = {"base_model": model.name, "recipe": whole, "budget": budgeted}
    if isinstance(forgotten := body.get("forget"), list | tuple) and forgotten:
        looked_at = body.get("evaluation", {})
        deciding = images_that_decide(_unlearning_asked(body.get("thresholds")), len(forgotten))
        sized = {"images_per_forgotten_concept": images_of_each(len(forgotten), deciding)}
        completed_parts["evaluation"] = sized | dict(looked_at) if isinstance(looked_at, Mapping) else looked_at
    right, wrong = read_right_fields(UnlearningRequest, asked | completed_parts)

    collected = Collected()
    collected.errors.extend(wrong)
    attempt = collected.attempt
    forget: tuple[Forget, ...] | None = right.get("forget")
    recipe: Recipe | None = right.get("recipe")
    budget: Budget | None = right.get("budget")
    evaluation: EvaluationPlan | None = right.get("evaluation")
    if forget is not None and text:
        forget = right["forget"] = tuple(by_plain_name(item, model.vocabulary) for item in forget)
    if forget is not None:
        attempt(lambda: check_items(forget, model) if text else check_forgetting(forget, model.concepts))
        attempt(lambda: _check_kept(forget, right.get("parent"), kept))
        attempt(lambda: _check_undone(right.get("undoes"), forget, model))
    attempt(lambda: _check_retain(right.get("retain"), text))
    thresholds = attempt(lambda: complete(right["thresholds"])) if "thresholds" in right else None
    if evaluation is not None:
        attempt(lambda: check_probes(evaluation.probes, family.conditions))
        attempt(lambda: _check_evaluation(evaluation, family))
    if recipe is not None:
        attempt(lambda: family.check_settings(recipe))
        attempt(lambda: family.check_times(recipe, model))
        attempt(lambda: _check_start(recipe, model, right.get("parent")))
    if recipe is not None and evaluation is not None:
        attempt(lambda: _check_attacked(evaluation, recipe))
    if recipe is not None and forget is not None and text:
        attempt(lambda: check_guidance(forget, recipe))
    if recipe is not None and budget is not None:
        attempt(lambda: _check_stages(recipe, budget))
    if recipe is not None and budget is not None and forget is not None:
        attempt(lambda: _check_turns(recipe, budget, len(forget)))
    if collected.errors:
        raise InvalidRequest(_in_order(collected.errors))

    request = UnlearningRequest(**right | {"thresholds": thresholds})
    seen = model.view_for(request.forget)
    _check_judged(request, seen)
    if not text:
        return Admitted(request, seen, None)
    plan = plan_prompts(request, seen)
    if family.check_plan is not None:
        family.check_plan(request, plan, seen)
    return Admitted(request, seen, plan)


def _unlearning_asked(thresholds: Any) -> float:
    """The unlearning accuracy that a body asks for; the default also where what it says is none, which is refused
    where thresholds are checked."""
    said = thresholds.get(UNLEARNING.name) if isinstance(thresholds, Mapping) else None
    if isinstance(said, int | float) and UNLEARNING.error(said) is None:
        return said
    return UNLEARNING.default


def _in_order(errors: list[FieldError]) -> tuple[FieldError, ...]:
    """As the parts of a request are in order, those that are unknown at the end."""
    parts = [f"/{field.name}" for field in dataclasses.fields(UnlearningRequest)]
    found = ["/".join(error.pointer.split("/")[:2]) for error in errors]
    places = [parts.index(part) if part in parts else len(parts) for part in found]
    return tuple(error for _, error in sorted(zip(places, errors, strict=True), key=lambda pair: pair[0]))


def _check_kept(forget: Sequence[Forget], parent: Parent | None, kept: Sequence[Mapping[str, Any]]) -> None:
    """Refuse to leave out what the parent had forgotten: its network would forget it still, and nobody would ask. Nor
    may it be asked for by other words or prompts, or be overridden otherwise: what was judged would be another thing
    under the same name."""
    if parent is None:
        return
    errors = []
    if missing := sorted({*parent.kept} - {item.concept for item in forget}):
        left_out = f"leaves out {', '.join(missing)}, which {parent.generator} has forgotten"
        errors.append(FieldError("/forget", f"{left_out}: `lethe undo` forgets without"))
    then = {item.concept: item for item in (read(Forget, item) for item in kept)}
    for i, item in enumerate(forget):
        message = f"{item.concept!r} is kept forgotten as {parent.generator} has forgotten it: leave it as it is"
        was = then.get(item.concept, item)
        names = (field.name for field in dataclasses.fields(Forget))
        changed = [name for name in names if getattr(item, name) != getattr(was, name)]
        errors += [FieldError(f"/forget/{i}/{name}", message) for name in changed]
    if errors:
        raise InvalidRequest(tuple(errors))


def _check_undone(undone: Undone | None, forget: Sequence[Forget], model: BaseModel) -> None:
    """Refuse to take back what is to be forgotten, or what the model does not know by that name: no row of the report
    would be about it. A text-to-image model without a vocabulary knows no names."""
    forgotten = {item.concept for item in forget}
    known = tuple(model.concepts)
    if model.vocabulary is not None:
        known = tuple(concept.name for concepts in model.vocabulary.domains.values() for concept in concepts)
    errors = []
    for i, concept in enumerate(() if undone is None else undone.concepts):
        at = f"/undoes/concepts/{i}"
        if concept in forgotten:
            errors.append(FieldError(at, "is to be forgotten by this request: leave it out here, or there"))
        elif known and concept not in known:
            errors.append(FieldError(at, unknown("concept", concept, known)))
    if errors:
        raise InvalidRequest(tuple(errors))


def _check_retain(retain: Retain | None, text: bool) -> None:
    """Refuse prompts where there are none."""
    if retain is not None and not text:
        message = "supported for text-to-image models only: every other concept of this one is retained"
        raise InvalidRequest((FieldError("/retain", message),))


def _check_start(recipe: Recipe, model: BaseModel, parent: Parent | None) -> None:
    """Refuse a start that is not there, or that was made to be asked at another time."""
    if parent is not None:
        _check_going_on(recipe, parent)
        return
    distilled = model.distilled
    if recipe.start == "distilled" and distilled is None:
        message = f"{model.name} ships no distilled generator: say base_model, or auto"
        raise InvalidRequest((FieldError("/recipe/start", message),))
    if distilled is not None and recipe.starts_distilled and distilled.t_init != recipe.t_init:
        message = (
            f"must be {distilled.t_init}, at which the distilled generator starts, not {recipe.t_init}: "
            "say that, or start from base_model"
        )
        raise InvalidRequest((FieldError("/recipe/t_init", message),))


def _check_going_on(recipe: Recipe, parent: Parent) -> None:
    """Refuse what a run that goes on from a generator cannot change."""
    name, errors = parent.generator, []
    if not recipe.starts_distilled:
        errors.append(FieldError("/recipe/start", f"the run goes on from {name}: leave it out"))
    if recipe.t_init != parent.t_init:
        errors.append(FieldError("/recipe/t_init", f"must be {parent.t_init}, at which {name} starts"))
    if recipe.steps != parent.steps:
        errors.append(FieldError("/recipe/steps", f"must be {parent.steps}, in which {name} draws"))
    if recipe.distil_images:
        errors.append(FieldError("/recipe/distil_images", f"must be 0: {name} is distilled already"))
    if errors:
        raise InvalidRequest(tuple(errors))


def _check_attacked(evaluation: EvaluationPlan, recipe: Recipe) -> None:
    """Refuse probes of a generator of several steps: they attack what one evaluation of its network draws."""
    if evaluation.probes and recipe.steps != 1:
        message = f"they attack generators of one step, and recipe.steps is {recipe.steps}: leave them out"
        raise InvalidRequest((FieldError("/evaluation/probes", message),))


def _check_turns(recipe: Recipe, budget: Budget, concepts: int) -> None:
    """Refuse a budget in which not every forgotten concept has its turn."""
    each = recipe.forgotten_images(concepts)
    if each == 0:
        raise InvalidRequest((FieldError("/recipe/forgotten_share", "must be above 0: nothing would be forgotten"),))
    distilling = -(-recipe.distil_images // recipe.batch)
    steps = -(-budget.images // recipe.batch) - distilling
    if recipe.distil_images < budget.images and steps * each < concepts:
        needed = recipe.batch * (distilling + -(-concepts // each))
        message = (
            f"{budget.images} leave some of {concepts} concepts without an image: {each} of {recipe.batch} images a "
            f"step are asked for one of them, so it takes at least {needed}"
        )
        raise InvalidRequest((FieldError("/budget/images", message),))


def _check_stages(recipe: Recipe, budget: Budget) -> None:
    """Refuse a first stage that leaves nothing for the second."""
    if recipe.distil_images >= budget.images:
        message = f"must be smaller than budget.images ({budget.images}), not {recipe.distil_images}"
        raise InvalidRequest((FieldError("/recipe/distil_images", message),))


def _check_judged(request: UnlearningRequest, model: BaseModel) -> None:
    """Refuse, of a model without a judge of its own, overrides that it would choose, and probes of what nobody would
    see come back: a base model's own judge looks, and leads searches."""
    if model.judge is not None:
        return
    chooses = "this model has no judge that could choose: name what replaces it, or say random"
    errors = [
        FieldError(f"/forget/{i}/override", chooses)
        for i, item in enumerate(request.forget)
        if isinstance(item.override, JudgeOverride)
    ]
    if request.evaluation.probes:
        message = "no judge of this model knows what is forgotten, so nothing would see it come back: leave them out"
        errors.append(FieldError("/evaluation/probes", message))
    if errors:
        raise InvalidRequest(tuple(errors))


def _check_evaluation(evaluation: EvaluationPlan, family: Description) -> None:
    """Refuse what the model's family cannot be asked."""
    if evaluation.nsfw and not family.takes_prompts:
        message = "an NSFW rate is measured on prompts, which only text-to-image models take: leave it out"
        raise InvalidRequest((FieldError("/evaluation/nsfw", message),))
