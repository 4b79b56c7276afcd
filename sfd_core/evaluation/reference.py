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

MAX_CONCEPTS = 1 << 15
"""The file keeps labels in 16 bits."""
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

    def check(self, path: Path, name: str, concepts: int) -> None:
        """Hold every number to what it can be, of a model of so many ``concepts``. ``name``: of the part in the file.

        Raises:
            ModelRefused: naming the file and everything that is wrong.
        """
        n = len(self.labels)
        faults = _faults_of_features(self.features, n) + _faults_of_labels("labels", self.labels, n, concepts)
        for what, seen in (("seen", self.seen), ("second_seen", self.second_seen)):
            if seen is not None:  # one beyond the last concept: nothing is seen
                faults += _faults_of_labels(what, seen, n, concepts + 1)
        if self.confidence.shape != (n,) or not bool(((self.confidence >= 0) & (self.confidence <= 1)).all()):
            faults.append(f"confidence must be {n} numbers from 0 to 1")
        if faults:
            raise ModelRefused(f"{path}: {name}: {'; '.join(faults)}")

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
    def load(cls, path: Path, concepts: int = MAX_CONCEPTS) -> Reference:
        """Read the file of a model of so many ``concepts``, or of any number.

        Raises:
            ModelRefused: for a file of another kind, numbers that are not finite and concepts that there are not.
        """
        try:
            tensors = load_file(path)
            found = cls(
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
        for name, part in zip(PARTS, (found.real, found.base_model), strict=True):
            part.check(path, name, concepts)
        return found


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
    def load(cls, path: Path, concepts: int = MAX_CONCEPTS) -> FeatureReference:
        """Read the file; as :meth:`Reference.load`."""
        try:
            with safe_open(path, framework="pt") as file:
                said = file.metadata() or {}
            tensors = load_file(path)
            found = cls(
                said["extractor"],
                tensors["real"].float().numpy(),
                tensors["real_labels"].long().numpy(),
                tensors["teacher"].float().numpy(),
                tensors["teacher_labels"].long().numpy(),
                said.get("weights", ""),
            )
        except (SafetensorError, OSError, KeyError) as error:
            raise ModelRefused(f"{path}: not a file of reference features: {error}") from None
        sides = ((found.real, found.real_labels), (found.base_model, found.base_model_labels))
        faults = [
            f"{name}: {fault}"
            for name, (features, labels) in zip(PARTS, sides, strict=True)
            for fault in _faults_of_features(features, len(labels))
            + _faults_of_labels("labels", labels, len(labels), concepts)
        ]
        if faults:
            raise ModelRefused(f"{path}: {'; '.join(faults)}")
        return found


def _faults_of_features(features: NDArray[np.float32], n: int) -> list[str]:
    if features.ndim != 2 or len(features) != n:
        return [f"features have the shape {list(features.shape)}, must be one row for each of {n} labels"]
    return [] if bool(np.isfinite(features).all()) else ["features hold a number that is not finite"]


def _faults_of_labels(name: str, labels: NDArray[np.int64], n: int, concepts: int) -> list[str]:
    if labels.shape != (n,) or not bool(((labels >= 0) & (labels < concepts)).all()):
        return [f"{name} must be {n} whole numbers from 0 to {concepts - 1}"]
    return []
