"""A text-to-image base model in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sfd_core.families.protocol import LoadedBase
from sfd_core.families.text.schedulers import TextSchedulers
from sfd_core.families.text.stock_pipeline import StockPipeline
from sfd_core.families.text.text_parts import TextParts


@dataclass(frozen=True)
class LoadedPipeline(LoadedBase):
    """A base model in memory with what it has beside its network. ``stock``: its pipeline."""

    text: TextParts
    stock: StockPipeline
    schedulers: TextSchedulers

    def unread(self, prompts: Sequence[str]) -> Mapping[str, str]:
        """Return the ends of ``prompts`` that do not fit into any text encoder, by prompt."""
        return self.text.cut(prompts)
