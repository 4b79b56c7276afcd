"""A family of text-to-image models, as :class:`sfd_core.families.protocol.Family` has it: what is particular to one of
them is the folder of its pipeline and what a network is asked with."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.vocabulary import EvaluationPrompts
from sfd_core.errors import ModelRefused
from sfd_core.families.autoencoder_config import check_picture
from sfd_core.families.device import pick_dtype
from sfd_core.families.fitting import same_shape
from sfd_core.families.images import from_uint8
from sfd_core.families.protocol import LoadedBase, TrainingPlan
from sfd_core.families.sampling import Images, evaluation_prompts
from sfd_core.families.saved import saved_files
from sfd_core.families.text.attacked import AttackedTextNetwork
from sfd_core.families.text.base_sampler import GuidedSampler
from sfd_core.families.text.conditions import prompt_conditions
from sfd_core.families.text.generator import TextGenerator
from sfd_core.families.text.layout import PipelineLayout, fitting
from sfd_core.families.text.loaded import LoadedPipeline
from sfd_core.families.text.prompt_table import PromptTable
from sfd_core.families.text.schedulers import TextSchedulers
from sfd_core.families.text.score import PromptScore
from sfd_core.families.text.stock_pipeline import StockPipeline
from sfd_core.families.text.text_parts import TextParts
from sfd_core.families.text.unread import check_led_away, check_read
from sfd_core.prompts.plan import PromptPlan
from sfd_core.request.unlearning_request import UnlearningRequest


class TextFamily:
    """A family of models over latents that are asked by prompts. Every base that it is given is one that it loaded.
    ``pipelines``: the stock pipelines of its models. ``schedulers``: how its networks are written."""

    def __init__(self, pipelines: Sequence[StockPipeline], schedulers: TextSchedulers) -> None:
        self.pipelines = pipelines
        self.schedulers = schedulers

    def load_network(self, folder: Path) -> Any:
        path = folder / "config.json"
        name = read_config(path).get("_class_name")
        for pipeline in self.pipelines:
            if pipeline.network.__name__ == name:
                return pipeline.load_network(folder)
        known = " or ".join(repr(pipeline.network.__name__) for pipeline in self.pipelines)
        raise ModelRefused(f"{path}: _class_name is {name!r}, must be {known}")

    def load_text(self, folder: Path) -> TextParts:
        """Check every configuration of a pipeline's folder and load what it has beside its network, in float32 on the
        CPU.

        Raises:
            ModelRefused: naming the file and what is wrong with it.
        """
        self.layout_of(folder).check(folder)
        return self.pipeline_of(folder).read_text(folder)

    def layout_of(self, folder: Path) -> PipelineLayout:
        """Return what a pipeline's folder is.

        Raises:
            ModelRefused: for a pipeline that is none of the family's.
        """
        return fitting([layout for pipeline in self.pipelines for layout in pipeline.layouts], folder)

    def pipeline_of(self, folder: Path) -> StockPipeline:
        """Return the pipeline of a folder.

        Raises:
            ModelRefused: as :meth:`layout_of`.
        """
        layout = self.layout_of(folder)
        return next(pipeline for pipeline in self.pipelines if layout in pipeline.layouts)

    def load(self, model: BaseModel, device: torch.device | str) -> LoadedPipeline:
        folder = model.folder
        layout, pipeline = self.layout_of(folder), self.pipeline_of(folder)
        layout.check(folder)
        check_picture(folder, model.image, layout.image(folder))
        schedule, text = self.schedulers.load(folder), pipeline.read_text(folder)
        network = self.load_network(folder / layout.network)
        return LoadedPipeline(model, network.to(device), schedule, text.to(device), pipeline, self.schedulers)

    def plan(
        self, base: LoadedBase, request: UnlearningRequest, prompts: PromptPlan | None, device: torch.device
    ) -> TrainingPlan:
        if prompts is None:
            raise ValueError("a text-to-image model is asked by prompts: there must be a plan of them")
        text = _pipeline(base).text
        check_led_away(request, text.guides_itself)
        check_read(request, prompts, text.tokens, text.longest)
        recipe = request.recipe
        schedule, dtype = base.schedule.to(device), pick_dtype(recipe.precision, device)
        table = PromptTable(prompts.conditions(), text, dtype)
        return TrainingPlan(
            lambda network: PromptScore(network, schedule, table, dtype=dtype, compiled=recipe.compile),
            *prompt_conditions(prompts, table),
        )

    def generator(self, network: Any, base: LoadedBase, start: float, steps: int = 1) -> TextGenerator:
        return TextGenerator.of(network, _pipeline(base), start, steps)

    def attacked(self, network: Any, base: LoadedBase, start: float) -> AttackedTextNetwork:
        text, guidance = _pipeline(base).text, _guidance_of(_pipeline(base))
        return AttackedTextNetwork(network, base.schedule, start, text, guidance)

    def load_generator(self, folder: Path, device: str, asked: EvaluationPrompts | None = None) -> TextGenerator:
        drawing = self.schedulers.load_drawing(folder)
        text = self.load_text(folder).to(device)
        network = self.load_network(folder / self.layout_of(folder).network).to(device)
        return TextGenerator(network, drawing, text, asked)

    def files(self, folder: Path) -> dict[str, str]:
        return saved_files(folder, self.layout_of(folder).folders)

    def base_sampler(self, base: LoadedBase, device: torch.device | str, steps: int | None = None) -> GuidedSampler:
        ours = _pipeline(base)
        steps = steps or int(base.model.figures.get("network_evaluations", ours.stock.steps))
        return GuidedSampler(ours, steps, _guidance_of(ours), device)

    def encoded(self, images: Images, base: LoadedBase) -> Tensor:
        return _pipeline(base).text.autoencoder.latents(from_uint8(images))

    def pictured(self, x0: Tensor, base: LoadedBase) -> Images:
        return _pipeline(base).text.autoencoder.pictures(x0)

    def open_elsewhere(
        self, folder: Path, base: LoadedBase, steps: int | None, device: torch.device | str
    ) -> TextGenerator | GuidedSampler:
        """Open a pipeline folder: one of ours is a generator, any other is sampled in ``steps`` steps (default: the
        base model's own)."""
        layout, pipeline = self.layout_of(folder), self.pipeline_of(folder)
        layout.check(folder)
        ours = _pipeline(base)
        network = self.load_network(folder / layout.network)
        same_shape(folder, network, ours, pipeline.shape)
        if self.schedulers.ours(folder, base):
            generator = self.load_generator(folder, str(device), evaluation_prompts(base.model))
            if steps not in (None, generator.steps):
                draws = "a one-step generator" if generator.steps == 1 else f"a generator of {generator.steps} steps"
                raise ModelRefused(f"{folder}: {draws}; it cannot be sampled in {steps} steps")
            return generator
        self.schedulers.same(folder, base)
        theirs = dataclasses.replace(ours, network=network, text=pipeline.read_text(folder))
        return self.base_sampler(theirs, device, steps)


def _pipeline(base: LoadedBase) -> LoadedPipeline:
    return cast(LoadedPipeline, base)


def _guidance_of(base: LoadedPipeline) -> float:
    """The strength of guidance at which the base model is sampled."""
    return float(base.model.figures.get("guidance", base.text.guidance))
