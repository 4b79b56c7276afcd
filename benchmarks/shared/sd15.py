"""Networks in the shapes of Stable Diffusion 1.5 at 512 pixels, with random weights, and a training step over them:
what memory and time depend on, without the weights themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from benchmarks.shared.experiment import step_of
from sfd_core.families.lora import trainable
from sfd_core.families.parameterization import schedule_from_betas
from sfd_core.families.protocol import ConditionTable, LoadedBase, TrainingPlan
from sfd_core.families.scheduler_config import scheduler_config
from sfd_core.families.schedules import betas_of
from sfd_core.families.stable_diffusion import plain_text_model
from sfd_core.families.stable_diffusion.recipe import STABLE_DIFFUSION
from sfd_core.families.text.prompt_table import EMPTY, PromptTable
from sfd_core.families.text.score import PromptScore
from sfd_core.request.override import Condition
from sfd_core.request.recipe import Precision
from sfd_core.training.conditions import ConditionSampler, Judge
from sfd_core.training.state import Network, TrainingState, start
from sfd_core.training.step import TrainingStep

TOKENS = 77
SCHEDULE: Mapping[str, Any] = {
    "_class_name": "DDIMScheduler",
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
}


@dataclass(frozen=True)
class Shapes:
    """Configurations of a pipeline's networks, by their diffusers and transformers names, and the ``rank`` of
    adapters beside its U-Net."""

    unet: Mapping[str, Any]
    vae: Mapping[str, Any]
    text_encoder: Mapping[str, Any]
    rank: int

    @property
    def width(self) -> int:
        """Of an embedded token."""
        return int(self.unet["cross_attention_dim"])

    @property
    def latent(self) -> int:
        """Side of what the U-Net reads."""
        return int(self.unet["sample_size"])

    @property
    def pixels(self) -> int:
        """Side of a picture."""
        return int(self.vae["sample_size"])


SD15 = Shapes(
    {
        "sample_size": 64,
        "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
        "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
        "block_out_channels": (320, 640, 1280, 1280),
        "cross_attention_dim": 768,
        "attention_head_dim": 8,
    },
    {
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "block_out_channels": (128, 256, 512, 512),
        "layers_per_block": 2,
        "sample_size": 512,
    },
    {
        "vocab_size": 49408,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
    },
    64,
)
"""859.5 million parameters in the U-Net."""
SMALL = Shapes(
    {
        "sample_size": 8,
        "down_block_types": ("CrossAttnDownBlock2D",),
        "up_block_types": ("CrossAttnUpBlock2D",),
        "mid_block_type": None,
        "layers_per_block": 1,
        "block_out_channels": (32,),
        "cross_attention_dim": 16,
        "attention_head_dim": 4,
        "norm_num_groups": 8,
    },
    {
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "block_out_channels": (32, 32),
        "layers_per_block": 1,
        "sample_size": 16,
    },
    {
        "vocab_size": 49408,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
    },
    2,
)
"""The same parts in miniature: for quick forms and tests."""
SHAPES = {"sd15": SD15, "small": SMALL}


@dataclass(frozen=True)
class Setting:
    """A row of a table: changes to the family's recipe. ``adapted``: which networks are trained by adapters;
    ``precision``: as the recipe has it."""

    name: str
    adapted: tuple[str, ...] = ()
    checkpointing: bool = False
    precision: Precision = "bf16"

    def changes(self, rank: int) -> dict[str, Any]:
        """Return the changes to the recipe, with adapters of ``rank``."""
        adapters = {f"lora_rank_{network}": rank for network in self.adapted}
        return {**({"gradient_checkpointing": True} if self.checkpointing else {}), **adapters}


_BOTH = ("fake_score", "generator")
SMALLEST = Setting("both by adapters, checkpointing", _BOTH, True)
"""What fits a card of 24 GB."""
SETTINGS = (
    Setting("all weights"),
    Setting("all weights, gradient checkpointing", checkpointing=True),
    Setting("fake score by adapters, checkpointing", ("fake_score",), True),
    Setting("both by adapters", _BOTH),
    SMALLEST,
    Setting("all weights, in bf16", precision="bf16-weights"),
    Setting("all weights, in bf16, gradient checkpointing", (), True, "bf16-weights"),
)


@dataclass(frozen=True)
class _Blank:
    """Embeddings of the right shape: what they hold is nothing to their size."""

    width: int
    guides_itself: ClassVar[bool] = False

    def embeddings(self, prompts: Sequence[str]) -> Tensor:
        return torch.zeros(len(prompts), TOKENS, self.width)

    def led_away(self, prompts: Sequence[str]) -> Tensor:
        return self.embeddings(prompts)

    def nothing(self) -> Tensor:
        return self.embeddings([""])

    def output(self, network: Callable[..., Any], x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        output: Tensor = network(x, t, encoder_hidden_states=c, return_dict=False)[0]
        return output


class _Unchanged(ConditionSampler):
    """An override of nothing: which prompt the base model is asked for is nothing to what a step takes."""

    def overrides(self, c: Tensor, generator: torch.Generator) -> Tensor:
        return c

    def chosen(self, c: Tensor, o: Tensor, f: Tensor, judge: Judge | None) -> Tensor:
        return o


@dataclass
class Bench:
    """Steps of a setting, in bf16. ``batch``: images a step, ``micro_batch`` of them at once."""

    setting: Setting
    batch: int
    micro_batch: int
    device: torch.device
    shapes: Shapes = SD15
    kind: type[TrainingStep] = TrainingStep

    def __post_init__(self) -> None:
        precision = self.setting.precision
        sizes: dict[str, Any] = {"batch": self.batch, "micro_batch": self.micro_batch, "precision": precision}
        recipe = replace(STABLE_DIFFUSION, **sizes, **self.setting.changes(self.shapes.rank))
        with self.device:
            unet = UNet2DConditionModel(**self.shapes.unet)
        # Not by make_schedule, which looks at the betas' values: there are none where memory is only counted.
        betas = betas_of(scheduler_config(SCHEDULE))
        base = LoadedBase(plain_text_model("sd", "SD"), unet, schedule_from_betas(betas))
        self.state: TrainingState = start(base, recipe, 0, self.device)
        self.base_model = unet.eval().requires_grad_(False)
        schedule = base.schedule.to(self.device)
        blank: Any = _Blank(self.shapes.width)
        prompts = PromptTable([Condition("one"), Condition("two")], blank, torch.bfloat16)
        table = ConditionTable((), [1, 2], {}, dropped=EMPTY)
        self._sampler = _Unchanged(table, recipe, self.device)
        plan = TrainingPlan(lambda unet: PromptScore(unet, schedule, prompts, dtype=torch.bfloat16), table, table)
        self._step = step_of(self.base_model, self.state, plan, schedule, recipe, self.kind)

    def step(self) -> None:
        """Do one update of the fake score and one of the generator."""
        self._step(self.state, self._sampler, self._sampler.draw(self.state.rng))

    def kept(self) -> tuple[int, int, int]:
        """Count the bytes of the weights, each storage once; of what Adam keeps; of the gradients that are there
        now."""
        state = self.state
        networks: tuple[Network, ...] = (self.base_model, state.generator, state.fake_score, state.average)
        weights = {w.untyped_storage()._cdata: w.nbytes for net in networks for w in net.parameters()}
        trained = [*trainable(state.generator), *trainable(state.fake_score)]
        gradients = sum(weight.grad.nbytes for weight in trained if weight.grad is not None)
        return sum(weights.values()), sum(2 * weight.nbytes for weight in trained), gradients
