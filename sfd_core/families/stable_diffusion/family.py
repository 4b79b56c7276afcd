"""All that is particular to Stable Diffusion, as :class:`sfd_core.families.protocol.Family` has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.safe_files import load_unet
from sfd_core.families.device import pick_dtype
from sfd_core.families.images import from_uint8
from sfd_core.families.protocol import LoadedBase, TrainingPlan
from sfd_core.families.sampling import Images
from sfd_core.families.saved import saved_files
from sfd_core.families.stable_diffusion.attacked import AttackedUnet
from sfd_core.families.stable_diffusion.base_sampler import GuidedDdimSampler
from sfd_core.families.stable_diffusion.conditions import prompt_conditions
from sfd_core.families.stable_diffusion.elsewhere import base_sampler, guidance_of, open_elsewhere
from sfd_core.families.stable_diffusion.generator import TextGenerator
from sfd_core.families.stable_diffusion.loading import LoadedPipeline, load
from sfd_core.families.stable_diffusion.network import StableDiffusionScore
from sfd_core.families.stable_diffusion.prompt_table import PromptTable
from sfd_core.families.stable_diffusion.unread import check_read
from sfd_core.prompts.plan import PromptPlan
from sfd_core.request.unlearning_request import UnlearningRequest


class StableDiffusion:
    """The family ``stable_diffusion``. Every base that it is given is one that it loaded."""

    adapters = ("to_q", "to_k", "to_v", "to_out.0")
    """The projections of self- and cross-attention, as diffusers names them."""

    def load(self, model: BaseModel, device: torch.device | str) -> LoadedPipeline:
        return load(model, device)

    def load_network(self, folder: Path) -> Any:
        return load_unet(folder, UNet2DConditionModel)

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
            lambda unet: StableDiffusionScore(unet, schedule, table, dtype=dtype, compiled=recipe.compile),
            *prompt_conditions(prompts, table),
        )

    def generator(self, network: Any, base: LoadedBase, start: float) -> TextGenerator:
        return TextGenerator.of(network, _pipeline(base), start)

    def attacked(self, network: Any, base: LoadedBase, start: float) -> AttackedUnet:
        return AttackedUnet(network, base.schedule, start, _pipeline(base).text, guidance_of(base.model))

    def load_generator(self, folder: Path, device: str) -> TextGenerator:
        return TextGenerator.load(folder, device)

    def files(self, folder: Path) -> dict[str, str]:
        return saved_files(folder, ("unet", "vae", "text_encoder", "tokenizer", "scheduler"))

    def base_sampler(self, base: LoadedBase, device: torch.device | str, steps: int | None = None) -> GuidedDdimSampler:
        return base_sampler(_pipeline(base), device, steps)

    def encoded(self, images: Images, base: LoadedBase) -> Tensor:
        return _pipeline(base).text.autoencoder.latents(from_uint8(images))

    def pictured(self, x0: Tensor, base: LoadedBase) -> Images:
        return _pipeline(base).text.autoencoder.pictures(x0)

    def open_elsewhere(
        self, folder: Path, base: LoadedBase, steps: int | None, device: torch.device | str
    ) -> TextGenerator | GuidedDdimSampler:
        return open_elsewhere(folder, _pipeline(base), steps, device)


def _pipeline(base: LoadedBase) -> LoadedPipeline:
    return cast(LoadedPipeline, base)


FAMILY = StableDiffusion()
