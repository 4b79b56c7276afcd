"""The parts of a text-to-image network that the editing methods change, and the prompts that they are told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sfd_core.families.text.loaded import LoadedPipeline
from sfd_core.prompts.plan import PromptPlan

CROSS = ".attn2."
"""In diffusers' names of a UNet's layers: attention of the image to the prompt."""


def projections(network: nn.Module) -> Iterator[tuple[str, nn.Linear]]:
    """Yield every key and value projection of cross-attention, by its name."""
    for name, layer in network.named_modules():
        if CROSS in name and name.rpartition(".")[2] in ("to_k", "to_v") and isinstance(layer, nn.Linear):
            yield name, layer


def of_cross_attention(network: nn.Module) -> list[nn.Parameter]:
    """Return all parameters of cross-attention, which ESD-x tunes."""
    return [parameter for name, parameter in network.named_parameters() if CROSS in name]


@dataclass(frozen=True)
class Pair:
    """Embeddings of what is asked for (``asked``) and of what is to be shown instead, a token each: [n, D]."""

    asked: Tensor
    instead: Tensor


def pairs(base: LoadedPipeline, plan: PromptPlan) -> Iterator[Pair]:
    """Yield, for every prompt that is to forget, the embeddings of its tokens from the concept's last one on, beside
    those of its override: of the two only the words before that differ."""
    (reader,) = base.text.readers
    for item in plan.forgotten:
        asked = [one.prompt for one in item]
        instead = [one.overrides[0].prompt for one in item]
        embedded = zip(base.text.embeddings(asked), base.text.embeddings(instead), strict=True)
        tokens = zip(reader.tokens(asked), reader.tokens(instead), strict=True)
        for (old, new), (c_old, c_new) in zip(tokens, embedded, strict=True):
            shared = _common_end(old, new)
            first, first_new = len(old) - shared - 1, len(new) - shared - 1
            n = len(c_old) - max(first, first_new)
            yield Pair(c_old[first : first + n], c_new[first_new : first_new + n])


def _common_end(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both end with."""
    n = 0
    while n < min(len(one), len(other)) - 1 and one[-1 - n] == other[-1 - n]:
        n += 1
    return n


def tokens_of(base: LoadedPipeline, prompts: Sequence[str]) -> Tensor:
    """Return the embeddings of every token of ``prompts``, up to their ends: [n, D]."""
    (reader,) = base.text.readers
    embedded = zip(base.text.embeddings(prompts), reader.tokens(prompts), strict=True)
    return torch.cat([c[: len(tokens)] for c, tokens in embedded])
