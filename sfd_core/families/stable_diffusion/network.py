"""Stable Diffusion's ``UNet2DConditionModel`` as a score network over latents: eps- or v-prediction, a row of a
:class:`PromptTable` as condition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from sfd_core.families.parameterization import Parameterization
from sfd_core.families.score import GuidedScore
from sfd_core.families.stable_diffusion.prompt_table import PromptTable


class StableDiffusionScore(GuidedScore):
    """The score ``f(x_t, t, c)`` of a ``UNet2DConditionModel``, guided or not. ``settings``: as of any network."""

    def __init__(
        self, unet: UNet2DConditionModel, schedule: Parameterization, table: PromptTable, **settings: Any
    ) -> None:
        super().__init__(unet, schedule, **settings)
        self.table = table

    def asked(self, c: Tensor) -> Mapping[str, Tensor]:
        """Return the prompts of rows c [B]."""
        return {"encoder_hidden_states": self.table.of(c)}

    def away_from(self, c: Tensor) -> Mapping[str, Tensor]:
        """Return what rows c [B] are guided away from: the empty prompt or a negative one."""
        return {"encoder_hidden_states": self.table.away_from(c)}

    def steered(self, x_t: Tensor, t: Tensor, c: Tensor, kappa: float) -> Tensor:
        """Return x0, guided by ``kappa`` away from the negative prompt of a row that has one, and not guided
        elsewhere."""
        has_one = self.table.has_negative(c)
        if not has_one.any():
            return self.forward(x_t, t, c)
        plain, guided = self.guided(x_t, t, c, 1.0, kappa)
        return torch.where(has_one.view(-1, 1, 1, 1), guided, plain)
