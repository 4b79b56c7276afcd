"""Networks that put out more than they are asked for: of a *learned range* (Nichol & Dhariwal 2021, arXiv 2102.09672)
the second half of the channels says how wide a step of the reverse process is. It is no part of what they predict."""

from __future__ import annotations

from torch import Tensor


def without_variance(output: Tensor, x_t: Tensor) -> Tensor:
    """Return what the network predicts [B, C, ...] from its output [B, C or 2 C, ...] for x_t [B, C, ...]."""
    return output[:, : x_t.shape[1]]
