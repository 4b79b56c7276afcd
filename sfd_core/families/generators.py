"""One-step generators of every family, behind one protocol."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from sfd_core.base_model.safe_files import read_config
from sfd_core.errors import ModelRefused
from sfd_core.families.class_unet.generator import OneStepGenerator
from sfd_core.families.class_unet.pipeline import ClassConditionalPipeline
from sfd_core.families.loading import LoadedBase
from sfd_core.families.stable_diffusion.generator import TextGenerator
from sfd_core.families.stable_diffusion.loading import PIPELINE


class Generator(Protocol):
    """Makes an image from one network evaluation."""

    def sample_labels(self, labels: Sequence[int], seeds: Sequence[int]) -> NDArray[np.uint8]:
        """One image for each (concept of the base model, seed): uint8 [n, H, W] or [n, H, W, 3]."""
        ...

    def save(self, folder: Path) -> None:
        """Write a diffusers folder."""
        ...

    @staticmethod
    def files(folder: Path) -> dict[str, str]:
        """SHA-256 of every file of a saved generator, by name."""
        ...


def generator_around(unet: nn.Module, base: LoadedBase, t_init: int) -> OneStepGenerator | TextGenerator:
    """The generator that is this network of ``base``'s family, asked once at ``t_init``; the network is shared."""
    if base.model.family == "stable_diffusion":
        return TextGenerator.of(unet, base, t_init)
    return OneStepGenerator.of(unet, base.schedule, t_init, base.model)


def load_generator(folder: Path, device: str = "cpu") -> OneStepGenerator | TextGenerator:
    """Open a published generator's folder, of whichever family. Nothing of it is executed.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    path = folder / "model_index.json"
    name = read_config(path).get("_class_name")
    if name == ClassConditionalPipeline.__name__:
        return OneStepGenerator.load(folder, device)
    if name == PIPELINE:
        return TextGenerator.load(folder, device)
    known = f"{ClassConditionalPipeline.__name__} or {PIPELINE}"
    raise ModelRefused(f"{path}: _class_name is {name!r}; a generator's is {known}")
