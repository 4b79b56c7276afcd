"""What is known of a family of models without torch: every folder beside this module has one."""

from __future__ import annotations

from dataclasses import dataclass

from sfd_core.base_model.hub_layout import HubLayout
from sfd_core.base_model.manifest import Conditions
from sfd_core.request.recipe import Recipe


@dataclass(frozen=True)
class Description:
    """A family of models.

    ``conditions``: what its models are asked by. ``recipe``: how they are trained unless the base model or the request
    says otherwise. ``without``: settings of a recipe that mean nothing here, and are refused where they are changed.
    ``pipelines``: classes of the ``model_index.json`` that its published generators have. ``hub``: what is fetched of
    its models on a hub; None: none are.
    """

    name: str
    conditions: Conditions
    recipe: Recipe
    pipelines: tuple[str, ...]
    without: frozenset[str] = frozenset()
    hub: HubLayout | None = None

    @property
    def takes_prompts(self) -> bool:
        """Whether its models are asked by words."""
        return self.conditions == "prompts"
