"""A ``DiTTransformer2DModel`` as a score network over latents: eps- or v-prediction, with or without a learned range, a
class label as condition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers import DiTTransformer2DModel
from torch import Tensor

from sfd_core.families.parameterization import Parameterization
from sfd_core.families.score import GuidedScore


class DitScore(GuidedScore):
    """The score ``f(x_t, t, c)`` of a ``DiTTransformer2DModel``, guided away from its null class or not. ``settings``:
    as of any network."""

    def __init__(self, network: DiTTransformer2DModel, schedule: Parameterization, **settings: Any) -> None:
        super().__init__(network, schedule, **settings)
        self.null = null_class(network)

    def asked(self, c: Tensor) -> Mapping[str, Tensor]:
        """Return the labels c [B]."""
        return {"class_labels": c}

    def away_from(self, c: Tensor) -> Mapping[str, Tensor]:
        """Return the null class, [B]."""
        return {"class_labels": torch.full_like(c, self.null)}


def null_class(network: DiTTransformer2DModel) -> int:
    """Return the label that asks for no class: the one behind the last."""
    return int(network.config.num_embeds_ada_norm)
