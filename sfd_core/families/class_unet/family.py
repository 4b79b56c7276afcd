"""All that is particular to class-conditional U-Nets, as :class:`sfd_core.families.protocol.Family` has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.class_conditions import class_conditions
from sfd_core.families.class_unet.attacked import AttackedClassUnet
from sfd_core.families.class_unet.base_sampler import ManyStepSampler
from sfd_core.families.class_unet.elsewhere import base_sampler, open_elsewhere
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.families.class_unet.layout import kind_of
from sfd_core.families.class_unet.loading import load
from sfd_core.families.class_unet.network import ClassUnetScore
from sfd_core.families.class_unet.networks import STOCK, Networks
from sfd_core.families.class_unet.schedulers import OVER_STEPS, Schedulers
from sfd_core.families.device import pick_dtype
from sfd_core.families.images import from_uint8, to_uint8
from sfd_core.families.one_step import check_one_step
from sfd_core.families.protocol import LoadedBase, TrainingPlan
from sfd_core.families.sampling import Images
from sfd_core.families.saved import saved_files
from sfd_core.prompts.plan import PromptPlan
from sfd_core.request.unlearning_request import UnlearningRequest


class ClassUnets:
    """A family of class-conditional U-Nets. ``schedulers``: how its networks are written; ``networks``: which it
    has."""

    def __init__(self, schedulers: Schedulers, networks: Networks) -> None:
        self.schedulers, self.networks = schedulers, networks

    def load(self, model: BaseModel, device: torch.device | str) -> LoadedBase:
        return load(model, device, self.schedulers, self.networks)

    def load_network(self, folder: Path) -> Any:
        return kind_of(folder, self.networks).load(folder)

    def plan(
        self, base: LoadedBase, request: UnlearningRequest, prompts: PromptPlan | None, device: torch.device
    ) -> TrainingPlan:
        recipe, concepts = request.recipe, base.model.concepts
        schedule, dtype = base.schedule.to(device), pick_dtype(recipe.precision, device)
        return TrainingPlan(
            lambda unet: ClassUnetScore(unet, schedule, dtype=dtype, compiled=recipe.compile),
            class_conditions(request.forget, concepts),
            class_conditions((), concepts),
        )

    def generator(self, network: Any, base: LoadedBase, start: float, steps: int = 1) -> OneStepGenerator:
        check_one_step(steps)
        return OneStepGenerator.of(network, base.schedule, start, base.model)

    def attacked(self, network: Any, base: LoadedBase, start: float) -> AttackedClassUnet:
        attacked = self.networks[type(network).__name__].attacked
        return attacked(network, base.schedule, start, base.model.image.patch)

    def load_generator(self, folder: Path, device: str) -> OneStepGenerator:
        return OneStepGenerator.load(folder, device, self.schedulers, self.networks)

    def files(self, folder: Path) -> dict[str, str]:
        return saved_files(folder, ("unet", "scheduler"), ("model_index.json", "pipeline.py"))

    def base_sampler(self, base: LoadedBase, device: torch.device | str, steps: int | None = None) -> ManyStepSampler:
        return base_sampler(base, device, steps, self.schedulers)

    def encoded(self, images: Images, base: LoadedBase) -> Tensor:
        cells = F.pixel_unshuffle(from_uint8(images), base.model.image.patch)
        return cells.to(next(base.network.parameters()).device)

    def pictured(self, x0: Tensor, base: LoadedBase) -> Images:
        return to_uint8(F.pixel_shuffle(x0, base.model.image.patch))

    def open_elsewhere(
        self, folder: Path, base: LoadedBase, steps: int | None, device: torch.device | str
    ) -> OneStepGenerator | ManyStepSampler:
        return open_elsewhere(folder, base, steps, device, self.schedulers, self.networks)


FAMILY = ClassUnets(OVER_STEPS, STOCK)
