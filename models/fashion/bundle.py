"""What one base model of Fashion-MNIST has beside another: its name, how its network is written, how it is distilled.
The scripts of this folder make any of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from models.fashion.dataset import CONCEPTS
from sfd_core.base_model.manifest import BaseModel, ImageFormat, JudgeInfo
from sfd_core.request.recipe import Recipe

IMAGE = ImageFormat(1, 28, 28, 2)


@dataclass(frozen=True)
class Bundle:
    """A base model's folder ``here``, and what its manifest says of it.

    ``sampler``: of many steps, in a word; ``steps``: how many. ``recipe``: of stage one. ``away``: moves times [n] of
    the anchor away from the time at which the generator starts. ``features``: reference files by further extractor;
    ``controls``: folders by concept. ``recommended``: what a job from the pair of stage one should change in its
    family's recipe. ``pairs``: of noise and image, and ``regression_steps`` on 64 of them each.
    """

    here: Path
    name: str
    title: str
    family: str
    sampler: str
    steps: int
    recipe: Recipe
    away: Callable[[Tensor, float], Tensor]
    features: Mapping[str, str] = field(default_factory=dict)
    controls: Mapping[str, str] = field(default_factory=dict)
    recommended: Mapping[str, Any] = field(default_factory=dict)
    pairs: int = 12_800
    regression_steps: int = 600

    def unmeasured(self) -> BaseModel:
        """Return the model before there is a manifest: its files and its judge."""
        judge = JudgeInfo("", "judge", 0.0, 0, (), "")
        return BaseModel(self.name, "", self.here, self.family, "", "", CONCEPTS, IMAGE, judge, "", {}, {}, "")
