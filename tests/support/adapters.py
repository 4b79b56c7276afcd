"""The weights of an adapter, for tests that compare them."""

from __future__ import annotations

from torch import Tensor, nn


def adapter_state(network: nn.Module) -> dict[str, Tensor]:
    """The adapter alone, by the names of its weights."""
    return {name: weight.detach() for name, weight in network.named_parameters() if ".lora_" in name}
