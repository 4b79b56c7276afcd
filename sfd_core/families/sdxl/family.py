"""All that is particular to Stable Diffusion XL, as :class:`sfd_core.families.protocol.Family` has it."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from diffusers import UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTextModelWithProjection

from sfd_core.base_model.configs import read_config
from sfd_core.base_model.layout import INDEX
from sfd_core.base_model.safe_files import load_unet
from sfd_core.families.autoencoder import load_autoencoder
from sfd_core.families.sdxl.pipeline_layout import LAYOUT
from sfd_core.families.sdxl.text import SdxlText
from sfd_core.families.text.clip_reader import load_clip, same_length
from sfd_core.families.text.schedulers import OVER_STEPS
from sfd_core.families.text.stock_pipeline import StockPipeline
from sfd_core.families.text.text_family import TextFamily


def _read_text(folder: Path) -> SdxlText:
    first = load_clip(folder, CLIPTextModel, masked=False, every_layer=True)
    second = load_clip(
        folder, CLIPTextModelWithProjection, "text_encoder_2", "tokenizer_2", masked=False, every_layer=True
    )
    same_length(folder, first, second)
    image, zeros = LAYOUT.image(folder), read_config(folder / INDEX).get("force_zeros_for_empty_prompt", True)
    return SdxlText((first, second), load_autoencoder(folder), image.height, image.width, zeros)


PIPELINE = StockPipeline(
    layouts=(LAYOUT,),
    network=UNet2DConditionModel,
    load_network=partial(load_unet, kind=UNet2DConditionModel),
    read_text=_read_text,
    shape=("cross_attention_dim", "projection_class_embeddings_input_dim", "in_channels", "sample_size"),
    steps=50,
)
FAMILY = TextFamily((PIPELINE,), OVER_STEPS)
