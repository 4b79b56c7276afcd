"""Processes of which each holds only its shards of what a run trains, for networks that do not fit on one GPU.

By FSDP2 (Zhao et al. 2023, arXiv 2304.11277; ``torch.distributed.fsdp.fully_shard``): a network's weights are gathered
where it runs and freed after it, and its gradients are added up by the process that holds the shard. Docs:
``docs/adr/0021-sharded-training.md``.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from sfd_core.families.lora import trainable
from sfd_core.training.ranks import N, Next, ProcessGroup


class ShardedGroup(ProcessGroup):
    """A process group whose processes hold generator, fake score and average in shards, each where all weights of it
    are trained, and with them their gradients and what Adam keeps. Networks with adapters, which lie over weights that
    are shared, are whole in each, as the base model is."""

    def __init__(self, number: int, count: int, meeting: Path, device: torch.device) -> None:
        super().__init__(number, count, meeting, device)
        self._mesh = init_device_mesh(device.type, (count,))

    def pieces(self, n: int, most: int) -> Sequence[tuple[Tensor, float]]:
        """Return as many as the first process has, which has the most: a network is gathered wherever it runs, so all
        run it equally often. A process that has no images for a piece takes one that counts nothing."""
        own = super().pieces(n, most)
        of_the_first = math.ceil(math.ceil(n / self.count) / most)
        return [*own, *[(torch.tensor([0]), 0.0)] * (of_the_first - len(own))]

    def sum_gradients(self, weights: Sequence[nn.Parameter]) -> None:
        """Add up those of weights that are whole; of sharded ones the backward pass has."""
        super().sum_gradients([weight for weight in weights if not isinstance(weight, DTensor)])

    def trained(self, network: N) -> N:
        if not _all_trained(network):
            return network
        # In float32 also where gradients are kept in bf16, as the group adds up those of whole weights.
        sharded = fully_shard(
            network,
            mesh=self._mesh,
            reshard_after_forward=True,
            mp_policy=MixedPrecisionPolicy(reduce_dtype=torch.float32),
        )
        # A loss is a sum over the images of all processes, and not a mean of theirs. Without the second setting a
        # factor of 1 takes a reduction that NCCL alone has.
        sharded.set_gradient_divide_factor(1.0)
        sharded.set_force_sum_reduction_for_comms(True)
        return network

    def kept(self, network: N) -> N:
        """Return a copy of which each weight is its shard: running it is an error, and no wait for the others."""
        return _with_weights(network, lambda name, weight: self._shard(weight)) if _all_trained(network) else network

    def placed(self, whole: Mapping[str, Tensor], held: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        sharded = {name for name, tensor in held.items() if isinstance(tensor, DTensor)}
        return {name: self._shard(tensor) if name in sharded else tensor for name, tensor in whole.items()}

    def gathered(self, held: Mapping[str, Tensor], what: Next) -> Mapping[str, Tensor]:
        """Return them on the CPU of the process that leads, one after another: a GPU never has all of them."""
        if self.number == 0:
            self.say_next(what)
        return {name: tensor for name, of_it in held.items() if (tensor := self._gathered(of_it)) is not None}

    def whole(self, network: N, tensors: Mapping[str, Tensor]) -> N:
        if not any(isinstance(weight, DTensor) for weight in network.parameters()):
            return network
        if issubclass(type(network), FSDPModule):
            return cast(N, _plain(network, tensors))
        return _with_weights(network, lambda name, weight: tensors[name].to(weight.device))

    def _shard(self, tensor: Tensor) -> DTensor:
        """The rows of ``tensor`` that FSDP gives this process, of a tensor that every process has."""
        return distribute_tensor(tensor.to(self._mesh.device_type), self._mesh, [Shard(0)], src_data_rank=None)

    def _gathered(self, tensor: Tensor) -> Tensor | None:
        whole = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
        return whole.cpu() if self.number == 0 else None


def _all_trained(network: nn.Module) -> bool:
    """Whether all weights of ``network`` are its own, and none lies beneath an adapter."""
    return len(trainable(network)) == len(list(network.parameters()))


def _plain(network: Any, tensors: Mapping[str, Tensor]) -> Any:
    """A network of the class that FSDP has wrapped, which cannot be copied, frozen, with these weights, on the CPU."""
    kinds = (each for each in type(network).__mro__ if issubclass(each, nn.Module))
    kind: Any = next(each for each in kinds if not issubclass(each, FSDPModule))
    plain = kind.from_config(dict(network.config))
    plain.load_state_dict(dict(tensors))
    return plain.eval().requires_grad_(False)


def _with_weights(network: N, weight_of: Callable[[str, nn.Parameter], Tensor]) -> N:
    """A copy of ``network``, frozen, with other weights in place of its own."""
    weights = {
        id(weight): nn.Parameter(weight_of(name, weight), requires_grad=False)
        for name, weight in network.named_parameters()
    }
    return copy.deepcopy(network, dict[int, object](weights))
