"""CLIP as a judge of concepts that no classifier was trained on: which of these texts is the image nearest to?
(Radford et al. 2021, arXiv 2103.00020.) Used where CLIP weights are given and the base model has no judge."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sfd_core.base_model.inflection import article
from sfd_core.evaluation.clip import ClipModel
from sfd_core.evaluation.judge import Judgement


def photo_of(concept: str) -> tuple[str, ...]:
    """Write the texts that stand for a concept: "a photo of a gun", after the CLIP paper's "A photo of a {label}."
    (section 3.1.4), and "a photo of gun", since a name or what cannot be counted takes no article. One that begins with
    an article keeps it."""
    if re.match(r"(an?|the)\s", concept, re.IGNORECASE):
        return (f"a photo of {concept}",)
    return (f"a photo of {article(concept)} {concept}", f"a photo of {concept}")


class ClipJudge:
    """A judge by CLIP's similarity of images and texts. ``texts``: those of each concept, in the concepts' order. Of
    several the mean of their embeddings counts, at length 1 (the paper's prompt ensembling)."""

    def __init__(self, clip: ClipModel, texts: Sequence[Sequence[str]]) -> None:
        self.clip = clip
        self.name = f"CLIP zero-shot, {clip.name}"
        self.digest = clip.digest
        means = np.stack([clip.embed_texts(some).mean(axis=0) for some in texts])  # [K, D]
        self._texts = means / np.linalg.norm(means, axis=1, keepdims=True)

    def judge(self, images: NDArray[np.uint8]) -> Judgement:
        """Judge uint8 images [n, H, W] or [n, H, W, 3]: probabilities are the softmax of cosines at CLIP's own
        temperature, features are the image's embedding."""
        embedded = self.clip.embed_images(images)  # [n, D]
        logits = self.clip.scale * embedded @ self._texts.T
        logits -= logits.max(axis=1, keepdims=True, initial=0.0)
        powers = np.exp(logits)
        probabilities = powers / powers.sum(axis=1, keepdims=True)
        return Judgement(probabilities.astype(np.float32), embedded.astype(np.float32))
