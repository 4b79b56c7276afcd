"""What a generator is compared with: the judge's features of real images and of the base model's own samples.

Measured once for a base model (``models/fashion/measure.py``) and kept beside it in one safetensors file, with the
concept of every image, so that forgotten concepts can be left out on both sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from sfd_core.base_model.saving import save_tensors
from sfd_core.errors import ModelRefused

PARTS = ("real", "teacher")
"""What the file calls the two sides: ``teacher`` are the base model's samples, as in every file there is."""


@dataclass(frozen=True)
class ReferenceSet:
    """n images as the judge saw them. ``features``: [n, F]; ``labels``: the concept that was asked for (or that a real
    image is of), [n]; ``seen``: the concept that the judge sees, [n]; ``confidence``: the judge's probability of
    the concept asked for, [n]; ``second_seen``: what the second judge sees, [n], where the base model has one."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    seen: NDArray[np.int64]
    confidence: NDArray[np.float32]
    second_seen: NDArray[np.int64] | None = None

    def only(self, labels: Sequence[int]) -> ReferenceSet:
        """Return the images of these concepts."""
        keep = np.isin(self.labels, list(labels))
        second = None if self.second_seen is None else self.second_seen[keep]
        return ReferenceSet(self.features[keep], self.labels[keep], self.seen[keep], self.confidence[keep], second)


@dataclass(frozen=True)
class Reference:
    """Both references of a base model."""

    real: ReferenceSet
    base_model: ReferenceSet

    def save(self, path: Path) -> None:
        """Write the file; features are kept in half precision."""
        tensors = {}
        for name, part in zip(PARTS, (self.real, self.base_model), strict=True):
            tensors[f"{name}.features"] = torch.from_numpy(part.features).half().contiguous()
            tensors[f"{name}.labels"] = torch.from_numpy(part.labels).to(torch.int16)
            tensors[f"{name}.seen"] = torch.from_numpy(part.seen).to(torch.int16)
            tensors[f"{name}.confidence"] = torch.from_numpy(part.confidence).half()
            if part.second_seen is not None:
                tensors[f"{name}.second_seen"] = torch.from_numpy(part.second_seen).to(torch.int16)
        save_tensors(tensors, path)

    @classmethod
    def load(cls, path: Path) -> Reference:
        """Read the file. Raises ``ModelRefused``."""
        try:
            tensors = load_file(path)
            return cls(
                *(
                    ReferenceSet(
                        tensors[f"{name}.features"].float().numpy(),
                        tensors[f"{name}.labels"].long().numpy(),
                        tensors[f"{name}.seen"].long().numpy(),
                        tensors[f"{name}.confidence"].float().numpy(),
                        second.long().numpy() if (second := tensors.get(f"{name}.second_seen")) is not None else None,
                    )
                    for name in PARTS
                )
            )
        except (SafetensorError, OSError, KeyError) as error:
            raise ModelRefused(f"{path}: not a file of reference statistics: {error}") from None


@dataclass(frozen=True)
class FeatureReference:
    """Features of real images and of the base model's samples by another extractor than the judge. ``real``: [n, F]
    with ``real_labels`` [n]; ``base_model``: [m, F] with ``base_model_labels`` [m]. ``weights``: the digest of those
    that made them; empty where the file does not say."""

    extractor: str
    real: NDArray[np.float32]
    real_labels: NDArray[np.int64]
    base_model: NDArray[np.float32]
    base_model_labels: NDArray[np.int64]
    weights: str = ""

    def only(self, labels: Sequence[int]) -> FeatureReference:
        """Return the images of these concepts."""
        real, base_model = (np.isin(of, list(labels)) for of in (self.real_labels, self.base_model_labels))
        return FeatureReference(
            self.extractor,
            self.real[real],
            self.real_labels[real],
            self.base_model[base_model],
            self.base_model_labels[base_model],
            self.weights,
        )

    def save(self, path: Path) -> None:
        """Write the file; features are kept in half precision, the extractor's name and weights in the header."""
        tensors = {
            "real": torch.from_numpy(self.real).half().contiguous(),
            "real_labels": torch.from_numpy(self.real_labels).to(torch.int16),
            "teacher": torch.from_numpy(self.base_model).half().contiguous(),
            "teacher_labels": torch.from_numpy(self.base_model_labels).to(torch.int16),
        }
        said = {"extractor": self.extractor} | ({"weights": self.weights} if self.weights else {})
        save_tensors(tensors, path, said)

    @classmethod
    def load(cls, path: Path) -> FeatureReference:
        """Read the file. Raises ``ModelRefused``."""
        try:
            with safe_open(path, framework="pt") as file:
                said = file.metadata() or {}
            tensors = load_file(path)
            return cls(
                said["extractor"],
                tensors["real"].float().numpy(),
                tensors["real_labels"].long().numpy(),
                tensors["teacher"].float().numpy(),
                tensors["teacher_labels"].long().numpy(),
                said.get("weights", ""),
            )
        except (SafetensorError, OSError, KeyError) as error:
            raise ModelRefused(f"{path}: not a file of reference features: {error}") from None
