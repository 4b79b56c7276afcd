"""What `fashion-edm` has beside `fashion`, whose scripts make it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from torch import Tensor

from models.fashion.bundle import Bundle
from models.fashion.distil import RECIPE as OF_FASHION
from models.fashion.distil import RECOMMENDED
from sfd_core.families.registry import recipe_of

FAR = 1.4
"""The anchor's noise levels are at least this many times the generator's own, or at most one in so many of it."""


def away_from(t: Tensor, start: float) -> Tensor:
    """Move noise levels t [n] that are too near to ``start`` to a tenth of them."""
    return t.where((t / start).log().abs() >= Tensor([FAR]).log(), t / 10)


_SHARED = ("lr_generator", "lr_fake_score", "ema", "deep_weight", "start")
FASHION_EDM = Bundle(
    Path(__file__).parent,
    "fashion-edm",
    "Fashion-MNIST, class-conditional EDM, 28x28",
    "edm",
    "Euler",
    20,
    dataclasses.replace(recipe_of("edm"), **{name: getattr(OF_FASHION, name) for name in _SHARED}),
    away_from,
    recommended=RECOMMENDED,
)
