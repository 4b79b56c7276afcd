"""All that is particular to diffusion transformers, as :class:`sfd_core.families.protocol.Family` has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from sfd_core.base_model.manifest import BaseModel
from sfd_core.families.class_conditions import class_conditions
from sfd_core.families.device import pick_dtype
from sfd_core.families.dit.attacked import AttackedDit
from sfd_core.families.dit.base_sampler import GuidedDdimSampler
from sfd_core.families.dit.elsewhere import base_sampler, guidance_of, open_elsewhere
from sfd_core.families.dit.generator import DitGenerator
from sfd_core.families.dit.loading import LoadedDit, load, load_transformer
from sfd_core.families.dit.network import DitScore, null_class
from sfd_core.families.images import from_uint8
from sfd_core.families.one_step import check_one_step
from sfd_core.families.protocol import LoadedBase, TrainingPlan
from sfd_core.families.sampling import Images
from sfd_core.families.saved import saved_files
from sfd_core.prompts.plan import PromptPlan
from sfd_core.request.unlearning_request import UnlearningRequest


class Dit:
    """The family ``dit``. Every base that it is given is one that it loaded."""

    def load(self, model: BaseModel, device: torch.device | str) -> LoadedDit:
        return load(model, device)

    def load_network(self, folder: Path) -> Any:
        return load_transformer(folder)

    def plan(
        self, base: LoadedBase, request: UnlearningRequest, prompts: PromptPlan | None, device: torch.device
    ) -> TrainingPlan:
        recipe, concepts = request.recipe, base.model.concepts
        schedule, dtype = base.schedule.to(device), pick_dtype(recipe.precision, device)
        dropped = null_class(base.network)
        return TrainingPlan(
            lambda network: DitScore(network, schedule, dtype=dtype, compiled=recipe.compile),
            class_conditions(request.forget, concepts, dropped),
            class_conditions((), concepts, dropped),
        )

    def generator(self, network: Any, base: LoadedBase, start: float, steps: int = 1) -> DitGenerator:
        check_one_step(steps)
        return DitGenerator.of(network, _loaded(base), start)

    def attacked(self, network: Any, base: LoadedBase, start: float) -> AttackedDit:
        return AttackedDit(network, base.schedule, start, _loaded(base).autoencoder, guidance_of(base.model))

    def load_generator(self, folder: Path, device: str) -> DitGenerator:
        return DitGenerator.load(folder, device)

    def files(self, folder: Path) -> dict[str, str]:
        return saved_files(folder, ("transformer", "vae", "scheduler"), ("model_index.json", "pipeline.py"))

    def base_sampler(self, base: LoadedBase, device: torch.device | str, steps: int | None = None) -> GuidedDdimSampler:
        return base_sampler(_loaded(base), device, steps)

    def encoded(self, images: Images, base: LoadedBase) -> Tensor:
        return _loaded(base).autoencoder.latents(from_uint8(images))

    def pictured(self, x0: Tensor, base: LoadedBase) -> Images:
        return _loaded(base).autoencoder.pictures(x0)

    def open_elsewhere(
        self, folder: Path, base: LoadedBase, steps: int | None, device: torch.device | str
    ) -> DitGenerator | GuidedDdimSampler:
        return open_elsewhere(folder, _loaded(base), steps, device)


def _loaded(base: LoadedBase) -> LoadedDit:
    return cast(LoadedDit, base)


FAMILY = Dit()
