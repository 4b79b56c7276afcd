"""CLIP as a judge of concepts that no classifier was trained on: which of these texts is the image nearest to?
(Radford et al. 2021, arXiv 2103.00020.) Used where CLIP weights are given and the base model has no judge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sfd_core.evaluation.clip import ClipModel
from sfd_core.evaluation.judge import Judgement


class ClipJudge:
    """A judge by CLIP's similarity of images and texts. ``texts``: one for each concept, in their order."""

    def __init__(self, clip: ClipModel, texts: Sequence[str]) -> None:
        self.clip = clip
        self.name = f"CLIP zero-shot, {clip.name}"
        self.digest = clip.digest
        self._texts = clip.embed_texts(texts)  # [K, D]

    def judge(self, images: NDArray[np.uint8]) -> Judgement:
        """Judge uint8 images [n, H, W] or [n, H, W, 3]: probabilities are the softmax of cosines at CLIP's own
        temperature, features are the image's embedding."""
        embedded = self.clip.embed_images(images)  # [n, D]
        logits = self.clip.scale * embedded @ self._texts.T
        logits -= logits.max(axis=1, keepdims=True, initial=0.0)
        powers = np.exp(logits)
        probabilities = powers / powers.sum(axis=1, keepdims=True)
        return Judgement(probabilities.astype(np.float32), embedded.astype(np.float32))
