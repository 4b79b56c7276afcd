"""All that is particular to Stable Diffusion, as :class:`sfd_core.families.protocol.Family` has it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from diffusers import UNet2DConditionModel

from sfd_core.base_model.safe_files import load_unet
from sfd_core.families.autoencoder import load_autoencoder
from sfd_core.families.stable_diffusion.pipeline_layout import LAYOUT
from sfd_core.families.stable_diffusion.text import StableDiffusionText
from sfd_core.families.text.clip_reader import load_clip
from sfd_core.families.text.schedulers import OVER_STEPS
from sfd_core.families.text.stock_pipeline import StockPipeline
from sfd_core.families.text.text_family import TextFamily


def _read_text(folder: Path) -> StableDiffusionText:
    return StableDiffusionText((load_clip(folder, masked=True),), load_autoencoder(folder))


PIPELINE = StockPipeline(
    layouts=(LAYOUT,),
    network=UNet2DConditionModel,
    load_network=partial(load_unet, kind=UNet2DConditionModel),
    read_text=_read_text,
    shape=("cross_attention_dim", "in_channels", "sample_size"),
    steps=50,
)
FAMILY = TextFamily((PIPELINE,), OVER_STEPS)
