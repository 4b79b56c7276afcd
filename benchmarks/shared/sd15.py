"""Networks in the shapes of Stable Diffusion 1.5 at 512 pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from diffusers import AutoencoderKL, UNet2DConditionModel

from benchmarks.shared.bench import Trained
from sfd_core.families.parameterization import VariancePreserving, schedule_from_betas
from sfd_core.families.scheduler_config import scheduler_config
from sfd_core.families.schedules import betas_of
from sfd_core.families.stable_diffusion.text import StableDiffusionText

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

    @property
    def trained(self) -> Trained:
        """The U-Net as it is trained."""
        return Trained(
            family="stable_diffusion",
            network=partial(UNet2DConditionModel, **self.unet),
            schedule=_schedule,
            text=StableDiffusionText((), None),  # type: ignore[arg-type]  # it only asks
            embedding=(TOKENS, self.width),
            rank=self.rank,
            autoencoder=partial(AutoencoderKL, **self.vae),
            latents=(4, self.latent, self.latent),
            pixels=self.pixels,
        )


def _schedule() -> VariancePreserving:
    # Not by make_schedule, which looks at the betas' values: there are none where memory is only counted.
    betas = betas_of(scheduler_config(SCHEDULE))
    return schedule_from_betas(betas)


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
