"""What every known origin of checkpoints has: how one is recognised, and how it becomes a network of a family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class Network:
    """A network of a family: its ``config.json`` and its weights. Without a configuration it has that of the base
    model's own."""

    config: Mapping[str, Any] | None
    weights: Mapping[str, Tensor]


@dataclass(frozen=True)
class Choices:
    """The wishes of a user, where a checkpoint leaves something open. ``moving_average``: take the moving average
    where there is one, as published figures do, else the weights as training left them. ``size``: of the images, in
    pixels; None: as the layout finds it."""

    moving_average: bool = True
    size: int | None = None


@dataclass(frozen=True)
class Found:
    """The networks of a checkpoint. ``base_model``, with its ``scheduler``; or the ``generator`` that was distilled of
    one, with its ``fake_score`` where the file has it, asked at time ``t_init``; the same network as both, where the
    file does not say which it is. ``notes``: what is to be known of it, a sentence each."""

    base_model: Network | None = None
    scheduler: Mapping[str, Any] = field(default_factory=dict)
    generator: Network | None = None
    fake_score: Network | None = None
    t_init: float = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """Checkpoints of one origin. ``origin``: whose they are; ``looks_like``: what such a file holds, both in words.

    ``recognises``: says whether what was read is one. ``find``: returns its networks, given what it is called in
    messages; raises ``ModelRefused``, naming what is wrong.
    """

    origin: str
    looks_like: str
    recognises: Callable[[Any], bool]
    find: Callable[[Any, str, Choices], Found]
