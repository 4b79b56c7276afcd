"""The judge: which concept is in this image? A transformers image classifier from a folder beside the base model.

It is never the network that was trained on. Its pooled features (before the classification head) are the features of
``FD-judge`` and ``KID-judge``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CONFIG_MAPPING, MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING

from sfd_core.base_model.config_checks import check_sizes
from sfd_core.base_model.configs import CONFIG, read_config
from sfd_core.base_model.libraries import known_fields, load_known
from sfd_core.base_model.manifest import BaseModel, JudgeInfo
from sfd_core.base_model.manifest_parts import ImageFormat
from sfd_core.base_model.safe_files import check_header, without_storage
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.preprocessing import Preprocessing, read_preprocessing
from sfd_core.families.attacked import AttackedNetwork
from sfd_core.families.images import from_uint8
from sfd_core.suggestions import listed

WEIGHTS = "model.safetensors"
_BY_NAME_ELSEWHERE = ("timm_wrapper",)
"""Kinds of model that another library finds by a name, which may be a hub's."""
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
    """A classifier over the base model's concepts. ``order``: where among its own labels each concept is; None: they
    are the concepts, in their order. ``name``: what an error calls it."""

    def __init__(
        self, net: nn.Module, preprocessing: Preprocessing, order: Sequence[int] | None = None, name: str = "the judge"
    ) -> None:
        self.net, self.name = net.eval().requires_grad_(False), name
        self.preprocessing = preprocessing
        self.order = None if order is None or list(order) == sorted(order) else list(order)
        self._features: list[Tensor] = []
        head = [module for module in net.modules() if isinstance(module, nn.Linear)][-1]
        head.register_forward_pre_hook(lambda _, inputs: self._features.append(inputs[0].flatten(1)))

    @classmethod
    def load(cls, model: BaseModel, device: torch.device | str = "cpu", info: JudgeInfo | None = None) -> ImageJudge:
        """Load a judge of ``model``, whose files were verified before: the one that decides, or ``info``.

        Raises:
            ModelRefused: for a model without a judge, a folder that asks for code of its own, weights that do not
                fit or are not finite, sizes that nothing has, or a judge whose labels are not the model's concepts.
        """
        if (info := info or model.judge) is None:
            raise ModelRefused(f"{model.folder}: {model.name} has no judge: its manifest names none")
        return cls.read(model.folder / info.folder, model.concepts, model.image, device)

    @classmethod
    def read(
        cls, folder: Path, concepts: Sequence[str], image: ImageFormat, device: torch.device | str = "cpu"
    ) -> ImageJudge:
        """Read the judge in ``folder`` of ``concepts``, in that order, in images of this format.

        Raises:
            ModelRefused: as :meth:`load`.
        """
        path = folder / CONFIG
        said = read_config(path)
        check_sizes(path, said)
        try:
            kind = _classifier(said)
            config = kind.config_class(**known_fields(kind, said))
            with without_storage():
                empty = kind(config)
        except Exception as error:  # noqa: BLE001 - whatever a hostile configuration provokes is a refusal
            raise ModelRefused(f"{path}: no image classifier can be built from it: {error}") from None
        order = _order(path, [config.id2label.get(i) for i in range(len(config.id2label))], concepts)
        preprocessing = read_preprocessing(folder, image, getattr(config, "num_channels", None) or 3)
        check_header(folder / WEIGHTS, {name: tuple(v.shape) for name, v in empty.state_dict().items()})
        net = load_known(kind, folder, WEIGHTS, said)
        return cls(net.to(device), preprocessing, order, str(folder))

    def logits(self, x: Tensor) -> Tensor:
        """Compute logits [B, concepts] from images [B, C, H, W] in [-1, 1]."""
        self._features.clear()
        output: Tensor = self.net(self.preprocessing(x)).logits
        return output if self.order is None else output[:, self.order]

    def logits_of(self, x0: Tensor, network: AttackedNetwork) -> Tensor:
        """Return the same for x0 [B, ...] in the own space of ``network``, of cells or latents."""
        pieces = (network.pixels(piece) for piece in x0.split(network.together))
        return torch.cat([self.logits(piece.clamp(-1, 1)) for piece in pieces])

    @torch.no_grad()
    def judge(self, images: NDArray[np.uint8]) -> Judgement:
        """Judge uint8 images [n, H, W] or [n, H, W, 3].

        Raises:
            ModelRefused: for answers that are not finite, which no image can be blamed for.
        """
        device = next(self.net.parameters()).device
        probabilities, features = [], []
        for piece in from_uint8(images).split(JUDGE_BATCH):
            probabilities.append(self.logits(piece.to(device)).softmax(dim=1).cpu())
            features.append(self._features[-1].cpu())
        if not all(bool(torch.isfinite(answer).all()) for answer in (*probabilities, *features)):
            raise ModelRefused(f"{self.name}: its answers are NaN or infinite; no image is")
        return Judgement(torch.cat(probabilities).numpy(), torch.cat(features).numpy())


def _classifier(config: Mapping[str, Any]) -> Any:
    """The class of image classifiers that ``config`` is of, one of transformers' own. ``KeyError`` if it is of none."""
    if (named := config.get("model_type")) in _BY_NAME_ELSEWHERE:
        raise KeyError(named)
    kind = MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING[CONFIG_MAPPING[named]]
    if not isinstance(kind, tuple):
        return kind
    return next((each for each in kind if each.__name__ in (config.get("architectures") or ())), kind[0])


def _order(path: Path, labels: Sequence[object], concepts: Sequence[str]) -> list[int]:
    """Where among ``labels`` each of ``concepts`` is: they must be the same names, in whichever order.

    Raises:
        ModelRefused: with the names that only one of them has.
    """
    if sorted(map(str, labels)) != sorted(concepts):
        lacks = [concept for concept in concepts if concept not in labels]
        has = [str(label) for label in labels if label not in concepts]
        said = " and ".join(f"{word} {listed(names)}" for word, names in (("lacks", lacks), ("has", has)) if names)
        raise ModelRefused(f"{path}: its labels are not the model's concepts: it {said or 'has one twice'}")
    return [labels.index(concept) for concept in concepts]
