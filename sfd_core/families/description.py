"""What is known of a family of models without torch: every folder beside this module has one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sfd_core.base_model.hub_layout import HubLayout
from sfd_core.base_model.layout import FolderLayout
from sfd_core.base_model.manifest import BaseModel, Conditions
from sfd_core.families.times import check_steps
from sfd_core.prompts.plan import PromptPlan
from sfd_core.request.recipe import Recipe, check_settings
from sfd_core.request.unlearning_request import UnlearningRequest

NO_NEGATIVE = "supported for text-to-image models only: there are no negative prompts"
"""Why a setting means nothing to models that are asked by class."""

ONE_STEP = {"steps": "supported for flow-matching models only: generators of this family draw in one step"}


@dataclass(frozen=True)
class Description:
    """A family of models.

    ``conditions``: what its models are asked by. ``recipe``: how they are trained unless the base model or the request
    says otherwise. ``budget_images``: the most generated images to train on, unless the request says otherwise.
    ``checked_for_one``: images that a run's own check makes and judges in the time that training takes for one of its
    own, as measured (docs/recipes.md). ``without``: settings of a recipe that mean nothing here and are refused where
    they are changed, each with the reason. ``several_steps``: its generators may draw in more steps than one.
    ``check_times``: refuses times that a model does not have.
    ``check_plan``: refuses prompts that a model would not tell from their overrides.
    ``pipelines``, ``one_step_scheduler``: classes of the ``model_index.json`` that its published generators have: of
    the pipeline, and of the scheduler in it. ``adapters``: names of the modules of its networks that adapters attach
    to; none: the family has no adapters. ``hubs``: what is fetched of its models on a hub, by the first layout that
    fits; none where none are. ``folder``: what is read of a folder of one, where that is something else.
    """

    name: str
    conditions: Conditions
    recipe: Recipe
    budget_images: int
    checked_for_one: float
    pipelines: tuple[str, ...]
    one_step_scheduler: str = "EulerDiscreteScheduler"
    without: Mapping[str, str] = field(default_factory=dict)
    several_steps: bool = False
    check_times: Callable[[Recipe, BaseModel], None] = check_steps
    check_plan: Callable[[UnlearningRequest, PromptPlan, BaseModel], None] | None = None
    adapters: tuple[str, ...] = ()
    hubs: Sequence[HubLayout] = ()
    folder: FolderLayout | None = None

    @property
    def layouts(self) -> Sequence[FolderLayout]:
        """What is read of a folder of such a model, by the first that fits."""
        return (self.folder,) if self.folder is not None else self.hubs

    def check_settings(self, recipe: Recipe) -> None:
        """Refuse settings of ``recipe`` that would do nothing.

        Raises:
            InvalidRequest: pointing at each setting, from ``/recipe``.
        """
        check_settings(self.recipe, {**({} if self.several_steps else ONE_STEP), **self.without}, recipe)

    @property
    def takes_prompts(self) -> bool:
        """Whether its models are asked by words."""
        return self.conditions == "prompts"

    @property
    def guided(self) -> bool:
        """Whether its models know an empty condition, to be guided away from."""
        return "kappa4" not in self.without

    def published(self, index: Mapping[str, Any]) -> bool:
        """Say whether ``index``, a ``model_index.json``, is that of one of its published generators."""
        scheduler = ["diffusers", self.one_step_scheduler]
        return index.get("_class_name") in self.pipelines and index.get("scheduler") == scheduler
