"""Pickles as NVlabs' ``torch_utils.persistence`` makes them: each object with the source of its class beside it, which
its own reader executes; and networks that consist of such objects, of any weights."""

from __future__ import annotations

import pickle
import sys
import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tests.support.song import FILTER


class Network(nn.Module):
    """A module that is pickled by a function of that name, with this source."""

    def __init__(self, name: str, source: str) -> None:
        super().__init__()
        self._name, self._source = name, source

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in self.__dict__.items() if name not in ("_name", "_source")}
        meta = {"type": "class", "version": 6, "module_src": self._source, "class_name": self._name, "state": state}
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,)


def network(
    weights: Mapping[str, Tensor],
    source: str = "",
    names: tuple[str, str] = ("EDMPrecond", "SongUNet"),
    sigma_data: Any = 0.5,
    of_blocks: Mapping[str, Any] | None = None,
) -> Network:
    """A preconditioned network with ``weights``, named as its checkpoints name them. Blocks have the attributes that no
    weight shows, numpy's numbers among them, and the filters that they resample by."""
    outer, inner = (Network(name, source) for name in names)
    outer.model, outer.sigma_data, outer.sigma_max = inner, sigma_data, float("inf")
    inner._init_kwargs = {"channel_mult": [2, 2, 2], "embedding_type": "positional", "dropout": np.float64(0.13)}
    for name, weight in weights.items():
        *path, last = name.split(".")
        module: nn.Module = inner
        for i, part in enumerate(path):
            if part not in module._modules:
                module.add_module(part, _made(part, i, source, of_blocks or {}))
            module = module._modules[part]  # type: ignore[assignment]
        module.register_parameter(last, nn.Parameter(weight))
        if path[-1] in ("conv0", "skip") and path[-2].endswith(("_up", "_down")):
            module.register_buffer("resample_filter", FILTER)
    return outer


def _made(part: str, depth: int, source: str, of_blocks: Mapping[str, Any]) -> nn.Module:
    if part in ("enc", "dec"):
        return nn.ModuleDict()
    if depth == 1 and "_conv" not in part and "_aux" not in part:
        block = Network("UNetBlock", source)
        block.__dict__ |= {"num_heads": 1, "skip_scale": np.sqrt(0.5), "adaptive_scale": False, **of_blocks}
        return block
    return Network("Conv2d", source)


def snapshot(source: str) -> bytes:
    """A network snapshot of what calls itself an ``EDMPrecond`` around a ``SongUNet`` and has another's weights."""
    outer = network({"map_layer0.weight": torch.zeros(8, 4)}, source)
    return saved({"ema": outer, "loss_fn": None, "augment_pipe": None, "dataset_kwargs": {"path": "x"}})


def saved(value: Any, write: Callable[[Any], bytes] = pickle.dumps) -> bytes:
    """``value`` as ``write`` does it, where the function that NVlabs' networks are pickled by can be imported."""

    def _reconstruct_persistent_obj(meta: dict[str, Any]) -> Any:
        exec(meta["module_src"], {})  # as NVlabs' reader does

    package, module = types.ModuleType("torch_utils"), types.ModuleType("torch_utils.persistence")
    _reconstruct_persistent_obj.__module__ = module.__name__
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    module._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
    before = dict(sys.modules)
    sys.modules |= {package.__name__: package, module.__name__: module}
    try:
        return write(value)
    finally:
        for name in set(sys.modules) - set(before):
            del sys.modules[name]


def opened_as_a_pickle(data: bytes) -> None:
    """Open it as NVlabs' code does: the source is executed."""
    module = types.ModuleType("torch_utils.persistence")
    module._reconstruct_persistent_obj = lambda meta: exec(meta["module_src"], {})  # type: ignore[attr-defined]
    sys.modules |= {"torch_utils": types.ModuleType("torch_utils"), module.__name__: module}
    try:
        pickle.loads(data)
    finally:
        del sys.modules["torch_utils"], sys.modules[module.__name__]
