"""Class-conditional diffusers ``UNet2DModel`` as a score network: eps- or v-prediction, a class label as condition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from diffusers import UNet2DModel
from torch import Tensor, nn

from sfd_core.families.parameterization import Parameterization


class ClassUnetScore(nn.Module):
    """``f(x_t, t, c)`` of a ``UNet2DModel`` with class embeddings.

    ``dtype``: the network runs under autocast to it where it is lower than float32; the conversion to x0 stays in
    float32. ``compiled``: run the network through ``torch.compile``.
    """

    def __init__(
        self,
        unet: UNet2DModel,
        schedule: Parameterization,
        *,
        dtype: torch.dtype = torch.float32,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        self.network = unet
        self.schedule = schedule
        self.dtype = dtype
        self._run: Callable[..., Any] = torch.compile(unet) if compiled else unet

    def forward(self, x_t: Tensor, t: Tensor, c: Tensor) -> Tensor:
        """x0 [B, C, H, W] in float32 from x_t [B, C, H, W], t [B] and class labels c [B]."""
        with torch.autocast(x_t.device.type, self.dtype, enabled=self.dtype != torch.float32):
            output = self._run(*self.schedule.network_input(x_t, t), class_labels=c, return_dict=False)[0]
        return self.schedule.x0_from_output(output.float(), x_t, t)

    def guided(self, x_t: Tensor, t: Tensor, c: Tensor, *kappas: float) -> tuple[Tensor, ...]:
        """The same for each of ``kappas``, all of which must be 1: these networks have no unconditional side."""
        if any(kappa != 1 for kappa in kappas):
            raise ValueError(f"a class-conditional network cannot be guided: kappas are {kappas}, must be 1")
        return (self(x_t, t, c),) * len(kappas)
