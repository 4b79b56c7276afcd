"""What the folder of a ``StableDiffusionPipeline`` says of itself. Plain: importing this does not import torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sfd_core.base_model.configs import read_config
from sfd_core.errors import ModelRefused
from sfd_core.families.scheduler_config import SCHEDULER

PIPELINE = "StableDiffusionPipeline"
_PARTS = {
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
}
_TOKENIZERS = ("CLIPTokenizer", "CLIPTokenizerFast")


def check_index(folder: Path) -> dict[str, Any]:
    """Read the folder's ``model_index.json``, if it is that of a Stable Diffusion 1.x or 2.x pipeline.

    Raises:
        ModelRefused: for another pipeline, a part that is not the stock one, or a scheduler of another class than its
            own configuration names.
    """
    path = folder / "model_index.json"
    index = read_config(path)
    if index.get("_class_name") != PIPELINE:
        raise ModelRefused(f"{path}: _class_name is {index.get('_class_name')!r}, must be {PIPELINE!r}")
    for part, stock in _PARTS.items():
        if index.get(part) != stock:
            raise ModelRefused(f"{path}: {part} is {index.get(part)}, must be {stock}")
    if index.get("tokenizer") not in [["transformers", name] for name in _TOKENIZERS]:
        raise ModelRefused(f"{path}: tokenizer is {index.get('tokenizer')}, must be a CLIPTokenizer")
    # Stock diffusers goes by the index, and takes what is missing in the other file from that class.
    scheduler = ["diffusers", read_config(folder / SCHEDULER).get("_class_name")]
    if index.get("scheduler") != scheduler:
        raise ModelRefused(f"{path}: scheduler is {index.get('scheduler')}, {SCHEDULER} says {scheduler}")
    return index
