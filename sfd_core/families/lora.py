"""Low-rank adapters (Hu et al. 2021, arXiv 2106.09685) on the modules of a network that its family names.

A projection of weight W [out, in] becomes ``x -> W x + B A x`` with A [rank, in] and B [out, rank]; only A and B are
trained, rank * (in + out) numbers in place of in * out. W stays as it was, so networks that differ by their adapters
alone can lie over one copy of it: fake score, generator and its average over the base model's own weights.

    psi = sharing(base_model)
    add_lora(psi, describe(family).adapters, rank=64, name="fake_score", seed=seed)
    optimizer = torch.optim.Adam(trainable(psi), ...)

Each of them is a network with modules of its own, and no adapter is ever switched on or off: under gradient
checkpointing a block runs again in the backward pass, and would then find the switch where another network left it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import chain
from typing import Any, TypeVar

import torch
from peft import LoraConfig
from torch import nn

N = TypeVar("N", bound=nn.Module)
_ADAPTER = (".lora_A.", ".lora_B.")


def sharing(network: N) -> N:
    """Make a network with modules of its own over the same weights: nothing is copied but the structure.

    To be made on the device where it is used: whatever moves one of them, moves both.
    """
    return copy.deepcopy(network, {id(shared): shared for shared in chain(network.parameters(), network.buffers())})


def add_lora(network: Any, modules: Sequence[str], rank: int, name: str, seed: int = 0) -> None:
    """Freeze the weights of ``network`` and give those of its ``modules`` adapters, in float32 on the weights' device.

    B is zero, so the network puts out what it did before. A is drawn from ``seed`` alone; the scale alpha / rank of the
    paper is 1. ``name`` is part of its weights' names.

    Raises:
        ValueError: for a rank below 1, a network that has an adapter already, or one without attention.
    """
    if rank < 1:
        raise ValueError(f"the rank of an adapter must be at least 1, not {rank}")
    if _adapter(network):
        raise ValueError(f"the network has an adapter already: no second one named {name!r}")
    config = LoraConfig(r=rank, lora_alpha=rank, target_modules=list(modules))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network.add_adapter(config, adapter_name=name)  # freezes all that it does not add
    for weight in _adapter(network).values():
        weight.data = weight.data.float()  # peft follows the frozen weights, which may be stored in bf16


def trainable(network: nn.Module) -> list[nn.Parameter]:
    """Return what an optimiser moves and an average follows: the adapter's weights, or all weights if there is no
    adapter.

    Whether a gradient is asked for at the moment makes no difference.
    """
    return list(_adapter(network).values()) or list(network.parameters())


def merged(network: Any) -> Any:
    """Return a plain network with the adapter folded in (``W + B A``): what is published. ``network`` itself if it has
    none.

    A copy, frozen, in the type of the weights: fold over float32, bf16 would round the sum to three digits. The
    weights that other networks share are left alone.
    """
    if not _adapter(network):
        return network
    plain = copy.deepcopy(network)
    plain.fuse_lora()
    plain.unload_lora()
    return plain


def _adapter(network: nn.Module) -> dict[str, nn.Parameter]:
    return {name: weight for name, weight in network.named_parameters() if any(part in name for part in _ADAPTER)}
