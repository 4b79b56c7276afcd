"""What the losses and the loop know of a network: a prediction of x0."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor, nn

from sfd_core.families.parameterization import Schedule


class Score(Protocol):
    """A conditional score network ``f(x_t, t, c)``, whatever it predicts inside."""

    schedule: Schedule
    unet: nn.Module
    """What holds the weights."""

    def __call__(self, x_t: Tensor, t: Tensor, c: Tensor) -> Tensor:
        """x0 from ``x_t`` [B, C, H, W] at ``t`` [B] under condition ``c`` [B]; float32."""
        ...

    def guided(self, x_t: Tensor, t: Tensor, c: Tensor, *kappas: float) -> tuple[Tensor, ...]:
        """x0 at each of ``kappas``, the strengths of guidance; 1 is none."""
        ...
