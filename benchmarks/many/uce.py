"""Unified Concept Editing (Gandikota et al. 2024, arXiv 2308.14761): a closed form over the key and value projections
of cross-attention. With W0 a projection as it was, c a token that is to be forgotten, c* the one that takes its place
and k those that are to stay, the edited projection is the minimum of

    J(W) = sum_i || W c_i - W0 c*_i ||^2 + preserve sum_j || W k_j - W0 k_j ||^2 + ridge || W - W0 ||^2

which is, with K = preserve sum_j k_j k_j^T + ridge I,

    W = (sum_i W0 c*_i c_i^T + W0 K) (sum_i c_i c_i^T + K)^-1
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from benchmarks.many.cross_attention import Pair, pairs, projections, tokens_of
from sfd_core.families.text.loaded import LoadedPipeline
from sfd_core.prompts.plan import PromptPlan

PRESERVE, RIDGE = 1.0, 0.1
"""The weights of what stays, which is ours (the published code has max(0.1, 1 / prompts)), and of the projection as it
was, which is as published."""


def edited(weight: Tensor, forget: Sequence[Pair], keep: Tensor, preserve: float, ridge: float) -> Tensor:
    """Return the projection [O, D] that minimises J, from ``weight`` [O, D]. ``keep``: tokens that stay, [n, D]."""
    w0, k = weight.double(), keep.double()
    eye = torch.eye(w0.shape[1], dtype=torch.float64)
    asked = torch.cat([pair.asked for pair in forget]).double()
    instead = torch.cat([pair.instead for pair in forget]).double()
    kept = preserve * k.T @ k + ridge * eye
    wanted = w0 @ (instead.T @ asked + kept)
    found: Tensor = torch.linalg.solve(asked.T @ asked + kept, wanted, left=False)
    return found


def uce(
    base: LoadedPipeline, plan: PromptPlan, keep: Sequence[str], preserve: float = PRESERVE, ridge: float = RIDGE
) -> Any:
    """Return the base model's network with every prompt of ``plan`` edited into its override. ``keep``: prompts that
    stay as they are."""
    forget, kept = list(pairs(base, plan)), tokens_of(base, keep)
    network = copy.deepcopy(base.network)
    for _, layer in projections(network):
        layer.weight.data = edited(layer.weight.data, forget, kept, preserve, ridge).to(layer.weight.dtype)
    return network
