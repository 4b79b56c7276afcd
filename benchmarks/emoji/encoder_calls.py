"""Counts what a run must not do while it trains: call the text encoder."""

from __future__ import annotations

from collections import Counter
from types import TracebackType
from typing import Any, Self

from torch import nn
from torch.nn.modules.module import register_module_forward_hook
from transformers import CLIPTextModel


class EncoderCalls:
    """A counter: while entered, it counts the forward passes of every ``CLIPTextModel`` of this process by the phase of
    the run that ``phase`` names. A forward hook of all modules, because a run loads its text encoder itself.
    ``unlearn`` runs ``sfd_core.training.loop.train`` in its phase ``training``, with the quick evaluations in
    between."""

    def __init__(self) -> None:
        self.phase = ""
        self.by_phase: Counter[str] = Counter()

    def __enter__(self) -> Self:
        self._hook = register_module_forward_hook(self._count)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._hook.remove()

    def _count(self, module: nn.Module, *_: Any) -> None:
        if isinstance(module, CLIPTextModel):
            self.by_phase[self.phase] += 1
