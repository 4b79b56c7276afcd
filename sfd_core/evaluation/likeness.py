"""Does an image look like the base model's own images of a concept? What a judge says of an image that shows nothing it
knows is worth little: it must name one of its concepts, and a search finds images that it names as asked.

So an image is also held against the base model's images of the concept: it is like them if it lies within the reach of
one of them, which goes as far as that one's k-th nearest neighbour among the others (precision by Kynkaanniemi et al.
2019, arXiv 1904.06991, of each image alone), in features of a network that no search was led by.

With k = 3, as precision is mostly measured, models/emoji's own further images of pistols lie within in 0.87, those of
the one-step generator that forgot nothing in 0.93, and the same under words that the prompts do not have in 0.14. With
20 of 200 it is 0.99, 1.00 and 0.86; images made to fool both judges, and those of the override, stay at 0.00.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sfd_core.evaluation.features import Features

NEAREST = 0.1
"""Share of the other reference images that are within the reach of one."""


@dataclass(frozen=True)
class Likeness:
    """The base model's images of one concept as ``reference`` [n, F], with the ``reach`` [n] of each. ``extract``:
    features of images."""

    extract: Callable[[NDArray[np.uint8]], Features]
    reference: Tensor
    reach: Tensor

    @classmethod
    def to(cls, images: NDArray[np.uint8], extract: Callable[[NDArray[np.uint8]], Features]) -> Likeness:
        """Make the reference of ``images``, at least two."""
        reference = torch.from_numpy(extract(images)).double()
        k = max(1, round(NEAREST * len(reference)))
        # The nearest of all is the image itself, so the k-th neighbour has rank k + 1.
        reach = torch.cdist(reference, reference).topk(k + 1, dim=1, largest=False).values[:, -1]
        return cls(extract, reference, reach)

    def of(self, images: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Return which of ``images`` are like the reference's: [n]."""
        distances = torch.cdist(torch.from_numpy(self.extract(images)).double(), self.reference)
        alike: NDArray[np.bool_] = (distances <= self.reach).any(dim=1).numpy()
        return alike
