"""What all judges share: the folder that is kept, how often a judge is right, what the second one sees."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from sfd_core.evaluation.reference import ReferenceSet


def save(judge: PreTrainedModel, folder: Path, side: int, channels: int) -> None:
    """Write a stock transformers folder: weights, config, and how an image is handed to it (``side`` pixels wide)."""
    judge.save_pretrained(folder)
    seen = {"do_resize": True, "size": {"height": side, "width": side}, "resample": 2}
    scaled = {"do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True}
    mean = [0.5] * channels
    normalised = {"image_mean": mean, "image_std": mean, "image_processor_type": "ViTImageProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps({**seen, **scaled, **normalised}, indent=2) + "\n")


@torch.no_grad()
def accuracy(judge: nn.Module, logits: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, batch: int) -> float:
    """Return the share of images that ``judge``, whose answers are ``logits``, labels as ``y`` [N] does."""
    judge.eval()
    hits = sum(int((logits(a).argmax(1) == b).sum()) for a, b in zip(x.split(batch), y.split(batch), strict=True))
    judge.train()
    return hits / len(x)


def second_seen(part: ReferenceSet) -> NDArray[np.int64]:
    """Return what the second judge sees, [N].

    Raises:
        ValueError: where no second judge has looked.
    """
    if part.second_seen is None:
        raise ValueError("no second judge has looked at these images")
    return part.second_seen
