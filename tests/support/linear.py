"""Networks that are understood on paper: ``f(x, t, c) = W x + b_c + t s`` over flat images of 2 x 3 pixels."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace

import torch
from torch import Tensor, nn

PIXELS, CONDITIONS = 6, 4
UNGUIDED = 3
"""The condition that guidance starts from."""


class LinearNetwork(nn.Module):
    """``asked``: the conditions of every call, and whether a graph was kept."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(seed)
        self.config = SimpleNamespace(in_channels=1, sample_size=(2, 3))
        self.W = nn.Parameter(torch.randn(PIXELS, PIXELS, generator=g) / 3)
        self.b = nn.Parameter(torch.randn(CONDITIONS, PIXELS, generator=g))
        self.register_buffer("s", torch.randn(PIXELS, generator=g) / 1000)
        self.asked: list[tuple[list[int], bool]] = []

    def forward(self, x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        self.asked.append((c.tolist(), torch.is_grad_enabled()))
        return (x.flatten(1) @ self.W.T + self.b[c] + t[:, None] * self.s).view_as(x)


class LinearScore:
    """The score of a linear network: its output is x0. ``away``: by condition, what it is guided away from where that
    is not ``UNGUIDED``."""

    def __init__(self, network: LinearNetwork, away: Mapping[int, int] | None = None) -> None:
        self.network = network
        self.away = away or {}

    def __call__(self, x_t: Tensor, t: Tensor, c: Tensor) -> Tensor:
        return self.network(x_t, t, c)

    def guided(self, x_t: Tensor, t: Tensor, c: Tensor, *kappas: float) -> tuple[Tensor, ...]:
        away = torch.tensor([self.away.get(each, UNGUIDED) for each in c.tolist()])
        asked, without = self(x_t, t, c), self(x_t, t, away)
        return tuple(without + kappa * (asked - without) for kappa in kappas)

    def steered(self, x_t: Tensor, t: Tensor, c: Tensor, kappa: float) -> Tensor:
        plain, guided = self.guided(x_t, t, c, 1.0, kappa)
        return torch.where(torch.tensor([each in self.away for each in c.tolist()])[:, None, None, None], guided, plain)
