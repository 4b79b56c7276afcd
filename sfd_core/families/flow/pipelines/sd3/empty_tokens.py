"""Attention in which one token stands for many that are alike.

Without its T5, Stable Diffusion 3 is asked with 256 tokens of zeros behind those of CLIP. A network has no places for
tokens of text, so what is alike when it comes in is alike in every block: one of them, whose weight in each softmax is
256 times as large, gives what all would, and gradients too. A small model then has a sixth of the tokens to work on.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class OneForMany:
    """Joint attention of image and text, as diffusers' ``JointAttnProcessor2_0`` has it, with a weight for the last
    token of the text."""

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        alike: int = 1,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Attend; ``hidden_states``: of the image [B, N, D], ``encoder_hidden_states``: of the text [B, L, D] if it
        takes part; returns what each becomes. ``alike``: how many tokens the last of the text stands for."""
        sides = [_heads(attn, hidden_states, "to_q", "to_k", "to_v", "norm_q", "norm_k")]
        if encoder_hidden_states is not None:
            added = ("add_q_proj", "add_k_proj", "add_v_proj", "norm_added_q", "norm_added_k")
            sides.append(_heads(attn, encoder_hidden_states, *added))
        query, key, value = (torch.cat(part, dim=2) for part in zip(*sides, strict=True))
        weight = None
        if alike > 1 and encoder_hidden_states is not None:
            weight = F.pad(query.new_full((1, 1, 1, 1), math.log(alike)), (key.shape[2] - 1, 0))
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=weight).transpose(1, 2).flatten(2)
        image: Tensor = attn.to_out[1](attn.to_out[0](mixed[:, : hidden_states.shape[1]]))
        if encoder_hidden_states is None:
            return image
        text = mixed[:, hidden_states.shape[1] :]
        return image, text if attn.context_pre_only else attn.to_add_out(text)


def _heads(attn: Any, x: Tensor, *names: str) -> list[Tensor]:
    """Project tokens [B, N, D] to queries, keys and values of each head, [B, heads, N, D / heads]."""
    projections = [getattr(attn, name)(x).unflatten(-1, (attn.heads, -1)).transpose(1, 2) for name in names[:3]]
    for i, name in enumerate(names[3:]):
        if (norm := getattr(attn, name)) is not None:
            projections[i] = norm(projections[i])
    return projections
