"""What the score networks of all families share: the network run in its precision, x0 from what it puts out, and
guidance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sfd_core.families.learned_range import without_variance
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
        """Return x0 [B, C, H, W] in float32 from x_t [B, C, H, W] at t [B]. ``condition``: as the network is
        asked by it (:meth:`ask`)."""
        with torch.autocast(x_t.device.type, self.dtype, enabled=self.dtype != torch.float32):
            output = self.ask(self._run, *self.schedule.network_input(x_t, t), **condition)
        return self.schedule.x0_from_output(without_variance(output, x_t).float(), x_t, t)

    def ask(self, run: Callable[..., Any], x: Tensor, t: Tensor, **condition: Tensor) -> Tensor:
        """Ask the network, as ``run``, for what it puts out for its input x at its time t."""
        output: Tensor = run(x, t, **condition, return_dict=False)[0]
        return output

    def steered(self, x_t: Tensor, t: Tensor, c: Tensor, kappa: float) -> Tensor:
        """Return x0 of a network whose conditions name nothing that they are guided away from."""
        x0: Tensor = self(x_t, t, c)
        return x0


class GuidedScore(NetworkScore, ABC):
    """A network that knows conditions to be guided away from."""

    @abstractmethod
    def asked(self, c: Tensor) -> Mapping[str, Tensor]:
        """Return conditions c [B] as the network takes them."""

    @abstractmethod
    def away_from(self, c: Tensor) -> Mapping[str, Tensor]:
        """Return the same of what each of c [B] is guided away from."""

    def forward(self, x_t: Tensor, t: Tensor, c: Tensor) -> Tensor:
        """Return x0 [B, C, H, W] in float32 from x_t [B, C, H, W], t [B] and conditions c [B], not guided."""
        return self.x0(x_t, t, **self.asked(c))

    def guided(self, x_t: Tensor, t: Tensor, c: Tensor, *kappas: float) -> tuple[Tensor, ...]:
        """Return ``f(n) + kappa (f(c) - f(n))`` for each of ``kappas``, with n what c is guided away from (Ho &
        Salimans 2022, arXiv 2207.12598). x0 is affine in what the network puts out, so guiding x0 is guiding eps or v.
        One pass over both; over c alone where every kappa is 1."""
        if all(kappa == 1 for kappa in kappas):
            return (self(x_t, t, c),) * len(kappas)
        away, towards = self.away_from(c), self.asked(c)
        both = {name: torch.cat([away[name], towards[name]]) for name in towards}
        f_n, f_c = self.x0(x_t.repeat(2, 1, 1, 1), t.repeat(2), **both).chunk(2)
        at = {kappa: f_n + kappa * (f_c - f_n) for kappa in kappas}
        return tuple(at[kappa] for kappa in kappas)
