"""What a family knows of one class of stock text-to-image pipelines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sfd_core.families.text.layout import PipelineLayout
from sfd_core.families.text.text_parts import TextParts


@dataclass(frozen=True)
class StockPipeline:
    """One class of stock pipelines.

    ``layouts``: what its folders are; several, where it can do without a part. ``network``: the class of the network
    that is trained. ``load_network``: reads one from its folder, in float32 on the CPU. ``read_text``: reads what a
    pipeline's folder, whose configurations were checked, has beside its network, in float32 on the CPU; both raise
    ``ModelRefused``, naming the file and what is wrong with it. ``shape``: what a network from elsewhere must have as
    the base model's has it, by fields of its configuration. ``steps``: of a model's own sampler, where its manifest
    does not say: as many as the stock pipeline takes.
    """

    layouts: Sequence[PipelineLayout]
    network: type[Any]
    load_network: Callable[[Path], Any]
    read_text: Callable[[Path], TextParts]
    shape: Sequence[str]
    steps: int
