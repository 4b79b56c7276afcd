"""A family of text-to-image models, as :class:`sfd_core.families.protocol.Family` has it: what is particular to one of
them is the folder of its pipeline and what a network is asked with."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from sfd_core.base_model.configs import read_config
from sfd_core.base_model.layout import SCHEDULER
from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.vocabulary import EvaluationPrompts
from sfd_core.errors import ModelRefused
from sfd_core.families.autoencoder_config import check_picture
from sfd_core.families.device import pick_dtype
from sfd_core.families.fitting import same_schedule, same_shape
from sfd_core.families.images import from_uint8
from sfd_core.families.one_step import load_one_step_scheduler
from sfd_core.families.protocol import LoadedBase, TrainingPlan
from sfd_core.families.sampling import Images, evaluation_prompts
from sfd_core.families.saved import saved_files
from sfd_core.families.schedules import load_schedule
from sfd_core.families.text.attacked import AttackedTextNetwork
from sfd_core.families.text.base_sampler import GuidedDdimSampler
from sfd_core.families.text.conditions import prompt_conditions
from sfd_core.families.text.generator import TextGenerator
from sfd_core.families.text.layout import PipelineLayout
from sfd_core.families.text.loaded import LoadedPipeline
from sfd_core.families.text.prompt_table import PromptTable
from sfd_core.families.text.score import PromptScore
from sfd_core.families.text.text_parts import TextParts
from sfd_core.families.text.unread import check_read
from sfd_core.prompts.plan import PromptPlan
from sfd_core.request.unlearning_request import UnlearningRequest


class TextFamily(ABC):
    """A family of models over latents that are asked by prompts. Every base that it is given is one that it loaded."""

    adapters = ("to_q", "to_k", "to_v", "to_out.0")
    """The projections of self- and cross-attention, as diffusers names them."""
    layout: ClassVar[PipelineLayout]
    shape: ClassVar[tuple[str, ...]]
    """What a network from elsewhere must have as the base model's has it, by fields of its configuration."""
    steps: ClassVar[int]
    guidance: ClassVar[float]
    """How a model is sampled whose manifest does not say: as the stock pipeline does."""

    @abstractmethod
    def load_network(self, folder: Path) -> Any: ...

    @abstractmethod
    def read_text(self, folder: Path) -> TextParts:
        """Load what a pipeline's folder, whose configurations were checked, has beside its network, in float32 on the
        CPU.

        Raises:
            ModelRefused: naming the file and what is wrong with it.
        """

    def load_text(self, folder: Path) -> TextParts:
        """Check every configuration of a pipeline's folder and load what it has beside its network, in float32 on the
        CPU.

        Raises:
            ModelRefused: naming the file and what is wrong with it.
        """
        self.layout.check(folder)
        return self.read_text(folder)

    def load(self, model: BaseModel, device: torch.device | str) -> LoadedPipeline:
        folder = model.folder
        self.layout.check(folder)
        check_picture(folder, model.image, self.layout.image(folder))
        schedule, text = load_schedule(folder), self.read_text(folder)
        network = self.load_network(folder / self.layout.network)
        return LoadedPipeline(model, network.to(device), schedule, text.to(device))

    def plan(
        self, base: LoadedBase, request: UnlearningRequest, prompts: PromptPlan | None, device: torch.device
    ) -> TrainingPlan:
        if prompts is None:
            raise ValueError("a text-to-image model is asked by prompts: there must be a plan of them")
        text = _pipeline(base).text
        check_read(request, prompts, text.tokens, text.longest)
        recipe = request.recipe
        schedule, dtype = base.schedule.to(device), pick_dtype(recipe.precision, device)
        table = PromptTable(prompts.conditions(), text, dtype)
        return TrainingPlan(
            lambda network: PromptScore(network, schedule, table, dtype=dtype, compiled=recipe.compile),
            *prompt_conditions(prompts, table),
        )

    def generator(self, network: Any, base: LoadedBase, start: float) -> TextGenerator:
        return TextGenerator.of(network, _pipeline(base), start)

    def attacked(self, network: Any, base: LoadedBase, start: float) -> AttackedTextNetwork:
        text, guidance = _pipeline(base).text, self._guidance_of(base.model)
        return AttackedTextNetwork(network, base.schedule, start, text, guidance)

    def load_generator(self, folder: Path, device: str, asked: EvaluationPrompts | None = None) -> TextGenerator:
        scheduler = load_one_step_scheduler(folder)
        text = self.load_text(folder).to(device)
        network = self.load_network(folder / self.layout.network).to(device)
        return TextGenerator(network, scheduler, text, asked)

    def files(self, folder: Path) -> dict[str, str]:
        return saved_files(folder, self.layout.folders)

    def base_sampler(self, base: LoadedBase, device: torch.device | str, steps: int | None = None) -> GuidedDdimSampler:
        steps = steps or int(base.model.figures.get("network_evaluations", self.steps))
        return GuidedDdimSampler(_pipeline(base), steps, self._guidance_of(base.model), device)

    def encoded(self, images: Images, base: LoadedBase) -> Tensor:
        return _pipeline(base).text.autoencoder.latents(from_uint8(images))

    def pictured(self, x0: Tensor, base: LoadedBase) -> Images:
        return _pipeline(base).text.autoencoder.pictures(x0)

    def open_elsewhere(
        self, folder: Path, base: LoadedBase, steps: int | None, device: torch.device | str
    ) -> TextGenerator | GuidedDdimSampler:
        """Open a pipeline folder: one of ours is known by its schedule, which ends where its only step starts; any
        other is sampled in ``steps`` steps (default: the base model's own)."""
        self.layout.check(folder)
        ours = _pipeline(base)
        network = self.load_network(folder / self.layout.network)
        same_shape(folder, network, ours, self.shape)
        last = read_config(folder / SCHEDULER).get("num_train_timesteps")
        if isinstance(last, int) and last < ours.schedule.steps:
            if steps not in (None, 1):
                raise ModelRefused(f"{folder}: a one-step generator; it cannot be sampled in {steps} steps")
            return self.load_generator(folder, str(device), evaluation_prompts(base.model))
        same_schedule(folder, base)
        theirs = dataclasses.replace(ours, network=network, text=self.read_text(folder))
        return self.base_sampler(theirs, device, steps)

    def _guidance_of(self, model: BaseModel) -> float:
        """The strength of guidance at which the base model is sampled."""
        return float(model.figures.get("guidance", self.guidance))


def _pipeline(base: LoadedBase) -> LoadedPipeline:
    return cast(LoadedPipeline, base)
