"""A request of several domains as the parts that are judged apart: what is forgotten of each domain, by its judges.

A model that draws objects in styles may have to forget one of each. Then each domain is evaluated as if the request had
named its concepts alone, but for what is asked beside them: of the other domains only what remains, so that a style
that is to be forgotten is not counted as lost.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from sfd_core.base_model.manifest import BaseModel
from sfd_core.prompts.plan import PromptPlan
from sfd_core.request.concepts import Forget
from sfd_core.request.parent import Parent
from sfd_core.request.unlearning_request import UnlearningRequest


@dataclass(frozen=True)
class DomainPart:
    """The part of a request that is judged in one domain. ``model``: seen in it; ``request``: of its concepts alone;
    ``plan``: of their prompts; ``places``: where among the whole request's concepts they are; ``in_all``: how many
    those of the whole request are, for all of which a verdict's intervals hold at once."""

    model: BaseModel
    request: UnlearningRequest
    plan: PromptPlan | None
    places: Sequence[int]
    in_all: int


def domain_parts(request: UnlearningRequest, model: BaseModel, plan: PromptPlan | None) -> tuple[DomainPart, ...]:
    """Split ``request`` by the domains of what it forgets, in the order in which it names them. ``model``: as admission
    saw it; ``plan``: its prompts, as admission made them. What lies in one domain, or in none, is one part."""
    in_all = len(request.forget)
    by_domain: dict[str | None, list[int]] = {}
    for place, item in enumerate(request.forget):
        by_domain.setdefault(model.domain_of(item.concept), []).append(place)
    if len(by_domain) == 1:
        return (DomainPart(model, request, plan, range(in_all), in_all),)
    parts = []
    for domain, places in by_domain.items():
        assert domain is not None  # admission refuses what is judged in none beside these
        assert model.vocabulary is not None
        own_places = set(places)
        elsewhere = {item.concept for place, item in enumerate(request.forget) if place not in own_places}
        seen = dataclasses.replace(model.view(domain), vocabulary=model.vocabulary.without(elsewhere))
        items = tuple(request.forget[place] for place in places)
        own = dataclasses.replace(request, forget=items, parent=_of_concepts(request.parent, items))
        planned = plan and dataclasses.replace(plan, forgotten=tuple(plan.forgotten[place] for place in places))
        parts.append(DomainPart(seen, own, planned, places, in_all))
    return tuple(parts)


def _of_concepts(parent: Parent | None, items: Sequence[Forget]) -> Parent | None:
    """What is kept forgotten of ``items``; None where none of them was forgotten before."""
    if parent is None:
        return None
    kept = tuple(item.concept for item in items if item.concept in parent.kept)
    return dataclasses.replace(parent, kept=kept) if kept else None
