"""Models as people have them: made by plain diffusers and transformers, with no code and no manifest of ours. Tiny and
seeded; what they draw means nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler, UNet2DModel
from PIL import Image
from transformers import (
    ConvNextConfig,
    ConvNextForImageClassification,
    ResNetConfig,
    ResNetForImageClassification,
    ViTImageProcessor,
)

CARS = ("sedan", "truck", "van")


def save_class_model(folder: Path, classes: int = len(CARS), scheduler: Any = None, **changes: Any) -> None:
    """A class-conditional ``UNet2DModel`` with its scheduler, as a training script saves them."""
    config = {
        "sample_size": 8,
        "in_channels": 3,
        "out_channels": 3,
        "block_out_channels": (8,),
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D",),
        "up_block_types": ("UpBlock2D",),
        "norm_num_groups": 4,
        "num_class_embeds": classes,
        "add_attention": False,
    }
    _seeded(lambda: UNet2DModel(**{**config, **changes})).save_pretrained(folder / "unet")
    (scheduler or DDPMScheduler()).save_pretrained(folder / "scheduler")


def save_classifier(folder: Path, labels: Sequence[str] = CARS, channels: int = 3, second: bool = False) -> None:
    """An image classifier with its processor, as transformers' own example saves them."""
    named = {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
    if second:
        convnext = ConvNextConfig(
            num_channels=channels, hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1], patch_size=2, **named
        )
        judge: Any = _seeded(lambda: ConvNextForImageClassification(convnext))
    else:
        resnet = ResNetConfig(
            num_channels=channels, embedding_size=8, hidden_sizes=[8], depths=[1], layer_type="basic", **named
        )
        judge = _seeded(lambda: ResNetForImageClassification(resnet))
    judge.save_pretrained(folder)
    imagenet = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]) if channels == 3 else ([0.5], [0.5])
    ViTImageProcessor(size={"height": 32, "width": 32}, image_mean=imagenet[0], image_std=imagenet[1]).save_pretrained(
        folder
    )


def save_pictures(folder: Path, concepts: Sequence[str] = CARS, each: int = 3, side: int = 16) -> None:
    """Pictures in a folder a concept."""
    random = np.random.default_rng(0)
    for concept in concepts:
        (folder / concept).mkdir(parents=True)
        for i in range(each):
            pixels = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / concept / f"{i}.png")


def _seeded(make: Callable[[], Any]) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()
