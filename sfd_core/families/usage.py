"""How whoever has a published generator draws with stock diffusers, as Python. Plain: does not import torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Usage:
    """The calls of one generator. ``opening``: opens its ``folder``. ``arguments``: what an image is asked for with,
    beside what is asked for. ``steps``: in how many it is drawn; noise is drawn anew between two of them."""

    opening: str
    arguments: Sequence[str] = ()
    steps: int = 1


BESIDE_ITS_WEIGHTS = Usage(
    'DiffusionPipeline.from_pretrained(folder, custom_pipeline=f"{folder}/pipeline.py", trust_remote_code=True)'
)
"""Of a pipeline of our own, which is published with the weights."""
