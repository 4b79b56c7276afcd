"""Stable Diffusion's ``UNet2DConditionModel`` as a score network over latents: eps- or v-prediction, a row of a
:class:`PromptTable` as condition."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor

from sfd_core.families.parameterization import Parameterization
from sfd_core.families.score import NetworkScore
from sfd_core.families.stable_diffusion.prompt_table import PromptTable


class StableDiffusionScore(NetworkScore):
    """The score ``f(x_t, t, c)`` of a ``UNet2DConditionModel``, guided or not. ``settings``: as of any network."""

    def __init__(
        self, unet: UNet2DConditionModel, schedule: Parameterization, table: PromptTable, **settings: Any
    ) -> None:
        super().__init__(unet, schedule, **settings)
        self.table = table

    def forward(self, x_t: Tensor, t: Tensor, c: Tensor) -> Tensor:
        """Return x0 [B, C, H, W] in float32 from x_t [B, C, H, W], t [B] and rows c [B], not guided."""
        return self.x0(x_t, t, encoder_hidden_states=self.table.of(c))

    def guided(self, x_t: Tensor, t: Tensor, c: Tensor, *kappas: float) -> tuple[Tensor, ...]:
        """Return ``f(n) + kappa (f(c) - f(n))`` for each of ``kappas``, with n what the row is guided away from: the
        empty prompt or a negative one (Ho & Salimans 2022, arXiv 2207.12598). x0 is affine in what the network puts
        out, so guiding x0 is guiding eps or v. One pass over both; over c alone where every kappa is 1."""
        if all(kappa == 1 for kappa in kappas):
            return (self(x_t, t, c),) * len(kappas)
        both = torch.cat([self.table.away_from(c), self.table.of(c)])
        f_n, f_c = self.x0(x_t.repeat(2, 1, 1, 1), t.repeat(2), encoder_hidden_states=both).chunk(2)
        at = {kappa: f_n + kappa * (f_c - f_n) for kappa in kappas}
        return tuple(at[kappa] for kappa in kappas)

    def steered(self, x_t: Tensor, t: Tensor, c: Tensor, kappa: float) -> Tensor:
        """Return x0, guided by ``kappa`` away from the negative prompt of a row that has one, and not guided
        elsewhere."""
        has_one = self.table.has_negative(c)
        if not has_one.any():
            return self.forward(x_t, t, c)
        plain, guided = self.guided(x_t, t, c, 1.0, kappa)
        return torch.where(has_one.view(-1, 1, 1, 1), guided, plain)
