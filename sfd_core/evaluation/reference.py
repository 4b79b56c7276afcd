"""What a generator is compared with: the judge's features of real images and of the teacher's own samples.

Measured once for a base model (``models/fashion/measure.py``) and kept beside it in one safetensors file, with the
concept of every image, so that forgotten concepts can be left out on both sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from sfd_core.errors import ModelRefused


@dataclass(frozen=True)
class ReferenceSet:
    """n images as the judge saw them. ``features``: [n, F]; ``labels``: the concept that was asked for (or that a real
    image is of), [n]; ``seen``: the concept that the judge sees, [n]; ``confidence``: the judge's probability of
    the concept asked for, [n]."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    seen: NDArray[np.int64]
    confidence: NDArray[np.float32]

    def only(self, labels: list[int]) -> ReferenceSet:
        """The images of these concepts."""
        keep = np.isin(self.labels, labels)
        return ReferenceSet(self.features[keep], self.labels[keep], self.seen[keep], self.confidence[keep])


@dataclass(frozen=True)
class Reference:
    """Both references of a base model."""

    real: ReferenceSet
    teacher: ReferenceSet

    def save(self, path: Path) -> None:
        """Write the file; features are kept in half precision."""
        tensors = {}
        for name, part in (("real", self.real), ("teacher", self.teacher)):
            tensors[f"{name}.features"] = torch.from_numpy(part.features).half().contiguous()
            tensors[f"{name}.labels"] = torch.from_numpy(part.labels).to(torch.int16)
            tensors[f"{name}.seen"] = torch.from_numpy(part.seen).to(torch.int16)
            tensors[f"{name}.confidence"] = torch.from_numpy(part.confidence).half()
        save_file(tensors, path)

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
                    )
                    for name in ("real", "teacher")
                )
            )
        except (SafetensorError, OSError, KeyError) as error:
            raise ModelRefused(f"{path}: not a file of reference statistics: {error}") from None
