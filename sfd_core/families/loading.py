"""A base model and a generator, in, of whichever family."""

from __future__ import annotations

from pathlib import Path

import torch

from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest import BaseModel, verify_files
from sfd_core.errors import ModelRefused
from sfd_core.families.protocol import Generator, LoadedBase
from sfd_core.families.registry import NAMES, describe, family_of, family_of_pipeline


def load_base(model: BaseModel, device: torch.device | str = "cpu") -> LoadedBase:
    """Verify every file of ``model`` against its manifest and load its networks, onto ``device``.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    verify_files(model)
    return family_of(model.family).load(model, device)


def load_generator(folder: Path, device: str = "cpu") -> Generator:
    """Open a published generator's folder, of whichever family. Nothing of it is executed.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    path = folder / "model_index.json"
    name = read_config(path).get("_class_name")
    if (family := family_of_pipeline(name)) is None:
        known = " or ".join(pipeline for known in NAMES for pipeline in describe(known).pipelines)
        raise ModelRefused(f"{path}: _class_name is {name!r}; a generator's is {known}")
    return family_of(family.name).load_generator(folder, device)
