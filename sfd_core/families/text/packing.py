"""Several tensors of a prompt as one row of numbers, and apart again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor


@dataclass(frozen=True)
class Packing:
    """A row a prompt of what a network is asked with (hidden states, a pooled state, a mask ...), so that tables,
    guidance and searches handle any number of tensors as one. ``shapes``: of one prompt's, by name."""

    shapes: Mapping[str, tuple[int, ...]]

    def together(self, parts: Mapping[str, Tensor]) -> Tensor:
        """Return rows [n, F] of ``parts``, each [n, ...] of its shape."""
        return torch.cat([parts[name].flatten(1) for name in self.shapes], dim=1)

    def apart(self, rows: Tensor) -> dict[str, Tensor]:
        """Return the tensors [n, ...] that rows [n, F] are made of, by name."""
        pieces = rows.split([prod(shape) for shape in self.shapes.values()], dim=1)
        return {
            name: piece.unflatten(1, shape) for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)
        }
