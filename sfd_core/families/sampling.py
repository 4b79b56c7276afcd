"""What makes images: by class, or by prompt. Generators, base models at their own sampler and everything that an
evaluation looks at is one of these."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.vocabulary import EvaluationPrompts
from sfd_core.suggestions import unknown

SAMPLE_BATCH = 16
"""Images are always made this many at a time, the last batch filled up: kernels may round differently for other batch
sizes, and image i must depend on (seed, i) alone."""
Images = NDArray[np.uint8]
"""uint8 [n, H, W] or [n, H, W, 3]."""


class UnknownConcept(ValueError):
    """A concept that the generator has never known; the message lists those it knows."""


class ImageSampler(ABC):
    """A maker of images. ``network_evaluations``: how often its network is asked for one; ``steps``: in how many steps,
    each of which asks twice where it is guided."""

    network_evaluations: int = 1
    steps: int = 1

    @abstractmethod
    def sample_labels(self, labels: Sequence[int], seeds: Sequence[int]) -> Images:
        """Make one image for each (concept of the base model, seed): uint8 [n, H, W] or [n, H, W, 3]."""


class ClassSampler(ImageSampler):
    """A maker of images of classes. ``concepts``: their names, by label."""

    concepts: tuple[str, ...]

    def label(self, concept: str) -> int:
        """Return the class label of ``concept``. Raises ``UnknownConcept``."""
        if concept not in self.concepts:
            raise UnknownConcept(unknown("concept", concept, self.concepts))
        return self.concepts.index(concept)

    def sample(self, concept: str, n: int, seed: int) -> Images:
        """Make ``n`` images of ``concept``: uint8 [n, H, W] or [n, H, W, 3].

        Image i depends on (seed, i) alone, whatever n is. Raises ``UnknownConcept``.
        """
        return self.sample_labels([self.label(concept)] * n, range(seed, seed + n))


class PromptSampler(ImageSampler):
    """A maker of images of prompts. ``asked``: by which prompts it makes those of a concept, where there is a
    vocabulary."""

    asked: EvaluationPrompts | None

    @abstractmethod
    def sample_prompts(self, prompts: Sequence[str], seeds: Sequence[int]) -> Images:
        """Make one image for each (prompt, seed): uint8 [n, H, W, 3]."""

    def sample(self, prompt: str, n: int, seed: int) -> Images:
        """Make ``n`` images of ``prompt``: uint8 [n, H, W, 3]. Image i depends on the prompt and (seed, i) alone."""
        return self.sample_prompts([prompt] * n, range(seed, seed + n))

    def sample_labels(self, labels: Sequence[int], seeds: Sequence[int]) -> Images:
        """Make one image for each (concept, seed), asked by the evaluation's prompts: uint8 [n, H, W, 3]."""
        if self.asked is None:
            raise ValueError("the base model has no vocabulary: its concepts have no prompts")
        return self.sample_prompts(self.asked.texts(labels, seeds), seeds)


def evaluation_prompts(model: BaseModel) -> EvaluationPrompts | None:
    """Return how images of the concepts of ``model`` are asked for, if it has a vocabulary and is seen in one
    domain."""
    if model.vocabulary is None or model.domain is None:
        return None
    return EvaluationPrompts(model.vocabulary, model.domain)
