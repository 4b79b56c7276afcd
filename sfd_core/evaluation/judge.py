"""The judge: which concept is in this image? A transformers image classifier from a folder beside the base model.

It is never the network that was trained on. Its pooled features (before the classification head) are the features of
``FD-judge`` and ``KID-judge``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForImageClassification

from sfd_core.base_model.config_checks import Checked, check_sizes
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest import BaseModel, JudgeInfo
from sfd_core.base_model.manifest_parts import MAX_SIDE
from sfd_core.base_model.safe_files import check_header
from sfd_core.errors import ModelRefused
from sfd_core.families.attacked import AttackedNetwork
from sfd_core.families.images import from_uint8

JUDGE_BATCH = 250
"""Images that the judge sees at a time; fixed, so that the same images get the same scores."""


@dataclass(frozen=True)
class Judgement:
    """The judge's answer for n images. ``probabilities``: [n, concepts]; ``features``: [n, F]; both float32. A row
    without any probability stands for an image that was refused: no concept is seen in it."""

    probabilities: NDArray[np.float32]
    features: NDArray[np.float32]

    @property
    def seen(self) -> NDArray[np.int64]:
        """The concept seen in each image, [n]; where there is no image, one beyond the last concept."""
        concepts = self.probabilities.shape[1]
        seen: NDArray[np.int64] = np.where(self.probabilities.any(axis=1), self.probabilities.argmax(axis=1), concepts)
        return seen

    @classmethod
    def of_nothing(cls, n: int, concepts: int) -> Judgement:
        """Make the judgement of ``n`` images that were refused."""
        return cls(np.zeros((n, concepts), np.float32), np.zeros((n, 0), np.float32))


class ImageJudge:
    """A classifier over the base model's concepts, in their order."""

    def __init__(self, net: nn.Module, size: tuple[int, int]) -> None:
        self.net = net.eval().requires_grad_(False)
        self.size = size
        self._features: list[Tensor] = []
        head = [module for module in net.modules() if isinstance(module, nn.Linear)][-1]
        head.register_forward_pre_hook(lambda _, inputs: self._features.append(inputs[0].flatten(1)))

    @classmethod
    def load(cls, model: BaseModel, device: torch.device | str = "cpu", info: JudgeInfo | None = None) -> ImageJudge:
        """Load a judge of ``model``, whose files were verified before: the one that decides, or ``info``.

        Raises:
            ModelRefused: for a model without a judge, a folder that asks for code of its own, weights that do not
                fit, sizes that nothing has, or a judge whose labels are not the model's concepts in the model's order.
        """
        if (info := info or model.judge) is None:
            raise ModelRefused(f"{model.folder}: {model.name} has no judge: its manifest names none")
        folder = model.folder / info.folder
        check_sizes(folder / "config.json", read_config(folder / "config.json"))
        size = _size(folder, model)
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        labels = [config.id2label.get(i) for i in range(len(config.id2label))]
        if labels != list(model.concepts):
            raise ModelRefused(f"{folder / 'config.json'}: labels {labels} are not the model's concepts in their order")
        with torch.device("meta"):
            shapes = AutoModelForImageClassification.from_config(config).state_dict()
        check_header(folder / "model.safetensors", {name: tuple(v.shape) for name, v in shapes.items()})
        net = AutoModelForImageClassification.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
        )
        return cls(net.to(device), size)

    def logits(self, x: Tensor) -> Tensor:
        """Compute logits [B, concepts] from images [B, C, H, W] in [-1, 1]."""
        self._features.clear()
        if x.shape[-2:] != self.size:
            x = F.interpolate(x, size=self.size, mode="bilinear")
        output: Tensor = self.net(x).logits
        return output

    def logits_of(self, x0: Tensor, network: AttackedNetwork) -> Tensor:
        """Return the same for x0 [B, ...] in the own space of ``network``, of cells or latents."""
        pieces = (network.pixels(piece) for piece in x0.split(network.together))
        return torch.cat([self.logits(piece.clamp(-1, 1)) for piece in pieces])

    @torch.no_grad()
    def judge(self, images: NDArray[np.uint8]) -> Judgement:
        """Judge uint8 images [n, H, W] or [n, H, W, 3]."""
        device = next(self.net.parameters()).device
        probabilities, features = [], []
        for piece in from_uint8(images).split(JUDGE_BATCH):
            probabilities.append(self.logits(piece.to(device)).softmax(dim=1).cpu())
            features.append(self._features[-1].cpu())
        return Judgement(torch.cat(probabilities).numpy(), torch.cat(features).numpy())


def _size(folder: Path, model: BaseModel) -> tuple[int, int]:
    """The size at which the judge sees an image: its preprocessor's, else the model's own."""
    path = folder / "preprocessor_config.json"
    size = read_config(path).get("size") if path.exists() else None
    if not isinstance(size, dict) or not {"height", "width"} <= set(size):
        return model.image.height, model.image.width
    checked = Checked(size)
    found = checked.whole("height", 1, MAX_SIDE), checked.whole("width", 1, MAX_SIDE)
    checked.refuse(path)
    return found
