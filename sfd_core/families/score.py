"""What the score networks of all families share: the network run in its precision, and x0 from what it puts out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sfd_core.families.parameterization import Parameterization


class NetworkScore(nn.Module):
    """A diffusers network and how it is written.

    ``dtype``: the network runs under autocast to it where it is lower than float32; the conversion to x0 stays in
    float32. ``compiled``: run the network through ``torch.compile``.
    """

    def __init__(
        self,
        network: nn.Module,
        schedule: Parameterization,
        *,
        dtype: torch.dtype = torch.float32,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self.schedule = schedule
        self.dtype = dtype
        self._run: Callable[..., Any] = torch.compile(network) if compiled else network

    def x0(self, x_t: Tensor, t: Tensor, **condition: Tensor) -> Tensor:
        """Return x0 [B, C, H, W] in float32 from x_t [B, C, H, W] at t [B]. ``condition``: as the network takes it."""
        with torch.autocast(x_t.device.type, self.dtype, enabled=self.dtype != torch.float32):
            output = self._run(*self.schedule.network_input(x_t, t), **condition, return_dict=False)[0]
        return self.schedule.x0_from_output(output.float(), x_t, t)

    def steered(self, x_t: Tensor, t: Tensor, c: Tensor, kappa: float) -> Tensor:
        """Return x0 of a network whose conditions name nothing that they are guided away from."""
        x0: Tensor = self(x_t, t, c)
        return x0
