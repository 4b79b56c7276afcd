"""Networks in the shapes of Stable Diffusion 1.5 at 512 pixels, with random weights, and a training step over them:
what memory and time depend on, without the weights themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from sfd_core.base_model.manifest import plain_text_model
from sfd_core.families.loading import LoadedBase
from sfd_core.families.lora import trainable
from sfd_core.families.parameterization import schedule_from_config
from sfd_core.families.stable_diffusion.network import StableDiffusionScore
from sfd_core.families.stable_diffusion.prompt_table import EMPTY, PromptTable
from sfd_core.prompts.plan import Condition
from sfd_core.request.recipe import STABLE_DIFFUSION
from sfd_core.training.conditions import ConditionSampler, Judge
from sfd_core.training.loop import Network, Stage, TrainingState, start

RANK = 64
TOKENS, WIDTH, LATENT = 77, 768, 64
UNET: dict[str, Any] = {
    "sample_size": LATENT,
    "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
    "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
    "block_out_channels": (320, 640, 1280, 1280),
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 8,
}
"""859.5 million parameters."""
VAE: dict[str, Any] = {
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "block_out_channels": (128, 256, 512, 512),
    "layers_per_block": 2,
    "sample_size": 512,
}
SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
}


@dataclass(frozen=True)
class Setting:
    """A row of a table: changes to the family's recipe."""

    name: str
    changes: dict[str, Any]


_CHECKPOINTED = {"gradient_checkpointing": True}
SETTINGS = (
    Setting("all weights", {}),
    Setting("all weights, gradient checkpointing", _CHECKPOINTED),
    Setting("fake score by adapters, checkpointing", {**_CHECKPOINTED, "lora_rank_fake_score": RANK}),
    Setting("both by adapters", {"lora_rank_fake_score": RANK, "lora_rank_generator": RANK}),
    Setting(
        "both by adapters, checkpointing",
        {**_CHECKPOINTED, "lora_rank_fake_score": RANK, "lora_rank_generator": RANK},
    ),
)


class _Blank:
    """Embeddings of the right shape: what they hold is nothing to their size."""

    def embeddings(self, prompts: Sequence[str]) -> Tensor:
        return torch.zeros(len(prompts), TOKENS, WIDTH)


class _Unchanged(ConditionSampler):
    """Overrides nothing: which prompt the teacher is asked for is nothing to what a step takes."""

    def overrides(self, c: Tensor, f_psi: Tensor, judge: Judge | None, generator: torch.Generator) -> Tensor:
        return c


@dataclass
class Bench:
    """Steps of a setting, in bf16. ``batch``: images a step, ``micro_batch`` of them at once."""

    setting: Setting
    batch: int
    micro_batch: int
    device: torch.device
    kind: type[Stage] = Stage

    def __post_init__(self) -> None:
        changes = {"batch": self.batch, "micro_batch": self.micro_batch, "precision": "bf16", **self.setting.changes}
        recipe = replace(STABLE_DIFFUSION, **changes)
        with self.device:
            unet = UNet2DConditionModel(**UNET)
        base = LoadedBase(plain_text_model("sd", "SD"), unet, schedule_from_config(SCHEDULE))
        self.state: TrainingState = start(base, recipe, 0, self.device)
        self.teacher = unet.eval().requires_grad_(False)
        schedule = base.schedule.to(self.device)
        table = PromptTable([Condition("one"), Condition("two")], _Blank(), torch.bfloat16)  # type: ignore[arg-type]

        def score(unet: Any) -> StableDiffusionScore:
            return StableDiffusionScore(unet, schedule, table, dtype=torch.bfloat16)

        phi, psi, theta = (score(unet) for unet in (unet, self.state.fake_score, self.state.generator))
        self._stage = self.kind(phi, psi, theta, schedule, recipe, None, EMPTY)
        self._sampler = _Unchanged((), [1, 2], {}, recipe, self.device)

    def step(self) -> None:
        """One update of the fake score and one of the generator."""
        self._stage.step(self.state, self._sampler, self._sampler.draw(self.state.rng))

    def kept(self) -> tuple[int, int, int]:
        """Bytes of the weights, each storage once; of what Adam keeps; of the gradients that are there now."""
        state = self.state
        networks: tuple[Network, ...] = (self.teacher, state.generator, state.fake_score, state.average)
        weights = {w.untyped_storage()._cdata: w.nbytes for net in networks for w in net.parameters()}
        trained = [*trainable(state.generator), *trainable(state.fake_score)]
        gradients = sum(weight.grad.nbytes for weight in trained if weight.grad is not None)
        return sum(weights.values()), sum(2 * weight.nbytes for weight in trained), gradients
