"""What somebody says of a model that is to be added. Plain: importing this does not import torch."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sfd_core.base_model.manifest import NAME
from sfd_core.suggestions import listed

STEPS = 50
"""Steps of a class-conditional model's own sampler, where nobody says how many: what its report is held against."""


@dataclass(frozen=True)
class Said:
    """Things that are said of a model beside its folder. ``None`` and empty: nothing is.

    ``concepts``: names of its classes, in the order of their labels. ``patch``: pixels along the edge of what its
    network sees as one. ``judges``, ``second_judges``: folders of image classifiers, as transformers saves them, by the
    domain of the vocabulary that they judge; "" is that of a model's classes, or the only one. ``vocabulary``: the file
    with the words of a text-to-image model. ``variant``: which of several forms of the weights. ``steps``,
    ``guidance``: of the model's own sampler. ``link``: files get a second name where that can be, in place of a copy.
    """

    name: str | None = None
    title: str | None = None
    license: str | None = None
    data: str | None = None
    concepts: tuple[str, ...] = ()
    patch: int = 1
    judges: Mapping[str, Path] = field(default_factory=dict)
    second_judges: Mapping[str, Path] = field(default_factory=dict)
    vocabulary: Path | None = None
    variant: str | None = None
    steps: int = STEPS
    guidance: float | None = None
    link: bool = False

    def named(self, source: Path) -> str:
        """Return the name that the model gets: that of its folder, where none is said."""
        return self.name or re.sub(r"[^A-Za-z0-9._-]+", "-", source.resolve().name.removesuffix(".safetensors")).strip(
            "-."
        )


def wrong_name(name: str, known: Collection[str]) -> str | None:
    """Say what is wrong with a name for a model, if anything. ``known``: those that are taken."""
    if name in known:
        return f"there is a base model {name!r} already: say another --name, or remove that one; known: {listed(known)}"
    if NAME.fullmatch(name) is None:
        return f"{name!r} is no name for a model: say a --name of letters, digits, '-', '_' and '.', at most 100"
    return None
