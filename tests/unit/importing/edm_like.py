"""Pickles as NVlabs' ``torch_utils.persistence`` makes them: each object with the source of its class beside it, which
its own reader executes."""

from __future__ import annotations

import pickle
import sys
import types
from typing import Any

import torch
from torch import nn


class Network(nn.Module):
    """A module that is pickled by a function of that name, with this source."""

    def __init__(self, name: str, source: str) -> None:
        super().__init__()
        self._name, self._source = name, source

    def __reduce__(self) -> tuple[Any, ...]:
        state = {name: value for name, value in self.__dict__.items() if name not in ("_name", "_source")}
        meta = {"type": "class", "version": 6, "module_src": self._source, "class_name": self._name, "state": state}
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,)


def snapshot(source: str) -> bytes:
    """A network snapshot of an ``EDMPrecond`` around a ``SongUNet``."""

    def _reconstruct_persistent_obj(meta: dict[str, Any]) -> Any:
        exec(meta["module_src"], {})  # as NVlabs' reader does

    package, module = types.ModuleType("torch_utils"), types.ModuleType("torch_utils.persistence")
    _reconstruct_persistent_obj.__module__ = module.__name__
    _reconstruct_persistent_obj.__qualname__ = "_reconstruct_persistent_obj"
    module._reconstruct_persistent_obj = _reconstruct_persistent_obj  # type: ignore[attr-defined]
    before = dict(sys.modules)
    sys.modules |= {package.__name__: package, module.__name__: module}
    try:
        inner = Network("SongUNet", source)
        inner.map_layer0 = nn.Linear(4, 8)
        outer = Network("EDMPrecond", source)
        outer.model = inner
        outer.register_buffer("sigma", torch.ones(3))
        return pickle.dumps({"ema": outer, "loss_fn": None, "augment_pipe": None, "dataset_kwargs": {"path": "x"}})
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
