"""All that is particular to Stable Diffusion, as :class:`sfd_core.families.protocol.Family` has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from diffusers import UNet2DConditionModel

from sfd_core.base_model.safe_files import load_unet
from sfd_core.families.autoencoder import load_autoencoder
from sfd_core.families.stable_diffusion.pipeline_layout import LAYOUT
from sfd_core.families.stable_diffusion.text import StableDiffusionText
from sfd_core.families.text.clip_reader import load_clip
from sfd_core.families.text.text_family import TextFamily


class StableDiffusion(TextFamily):
    """The family ``stable_diffusion``."""

    layout = LAYOUT
    shape = ("cross_attention_dim", "in_channels", "sample_size")
    steps, guidance = 50, 7.5

    def load_network(self, folder: Path) -> Any:
        return load_unet(folder, UNet2DConditionModel)

    def read_text(self, folder: Path) -> StableDiffusionText:
        return StableDiffusionText((load_clip(folder, masked=True),), load_autoencoder(folder))


FAMILY = StableDiffusion()
