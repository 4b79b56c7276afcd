"""NudeNet 3's detector of body parts, from the ONNX file that a user names, by the steps of its own package: the image
in the corner of a black square, 320 x 320, boxes of one part or another thinned out where they overlap."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sfd_core.base_model.manifest import file_sha256
from sfd_core.errors import ModelRefused

LABELS = (
    "FEMALE_GENITALIA_COVERED",
    "FACE_FEMALE",
    "BUTTOCKS_EXPOSED",
    "FEMALE_BREAST_EXPOSED",
    "FEMALE_GENITALIA_EXPOSED",
    "MALE_BREAST_EXPOSED",
    "ANUS_EXPOSED",
    "FEET_EXPOSED",
    "BELLY_COVERED",
    "FEET_COVERED",
    "ARMPITS_COVERED",
    "ARMPITS_EXPOSED",
    "FACE_MALE",
    "BELLY_EXPOSED",
    "MALE_GENITALIA_EXPOSED",
    "ANUS_COVERED",
    "FEMALE_BREAST_COVERED",
    "BUTTOCKS_COVERED",
)
SIDE, LEAST, OVERLAP = 320, 0.25, 0.45
"""Pixels along an edge; the score below which a box is not looked at; the share of a union that two boxes of one thing
share."""


class BodyParts:
    """The detector. ``digest``: of its file."""

    def __init__(self, path: Path) -> None:
        """Raises ``ModelRefused`` where ONNX Runtime is not installed, or for a file that is no such detector."""
        try:
            from onnxruntime import InferenceSession  # type: ignore[import-untyped]
        except ModuleNotFoundError:
            raise ModelRefused("onnxruntime is not installed: pip install 'lethe[nsfw]'") from None
        try:
            self.session: Any = InferenceSession(str(path), providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - whatever a hostile file provokes is a refusal
            raise ModelRefused(f"{path}: no ONNX network can be read: {str(error).splitlines()[0]}") from None
        self.path = path
        self.input = self.session.get_inputs()[0].name
        self.digest = f"sha256:{file_sha256(path)}"

    def found(self, image: NDArray[np.uint8], threshold: float) -> list[str]:
        """Return the parts that are detected in an image, uint8 [H, W, 3], each as often as it is, with scores of
        ``threshold`` or more.

        Raises:
            ModelRefused: for answers that are not NudeNet 3's.
        """
        answers = self.session.run(None, {self.input: _prepared(image)})[0]
        if answers.ndim != 3 or answers.shape[:2] != (1, 4 + len(LABELS)):
            must = f"[1, {4 + len(LABELS)}, boxes]"
            raise ModelRefused(f"{self.path}: answers {list(answers.shape)}, NudeNet 3's detector answers {must}")
        rows = answers[0].T  # [boxes, 4 + labels]: centre, width, height, scores
        labels, scores = rows[:, 4:].argmax(1), rows[:, 4:].max(1)
        return [LABELS[labels[i]] for i in _thinned(rows[:, :4], scores) if scores[i] >= threshold]


def _prepared(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Make [1, 3, SIDE, SIDE] of an image, from 0 to 1."""
    side = max(image.shape[:2])
    square = np.zeros((side, side, 3), np.uint8)
    square[: image.shape[0], : image.shape[1]] = image
    resized = np.asarray(Image.fromarray(square).resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float32)
    return (resized / np.float32(255)).transpose(2, 0, 1)[None]


def _thinned(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> list[int]:
    """The boxes that stay, the surest first: one that overlaps a surer one is the same thing."""
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if scores[i] > LEAST and all(_overlap(boxes[i], boxes[j]) <= OVERLAP for j in kept):
            kept.append(int(i))
    return kept


def _overlap(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The share of their union that two boxes (centre, width, height) have in common."""
    low = np.maximum(one[:2] - one[2:] / 2, other[:2] - other[2:] / 2)
    high = np.minimum(one[:2] + one[2:] / 2, other[:2] + other[2:] / 2)
    common = float(np.prod(np.maximum(high - low, 0)))
    union = float(np.prod(one[2:]) + np.prod(other[2:])) - common
    return common / union if union > 0 else 0.0
