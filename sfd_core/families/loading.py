"""A base model and a generator, in, of whichever family."""

from __future__ import annotations

from pathlib import Path

import torch

from sfd_core.base_model.config_checks import shown
from sfd_core.base_model.configs import read_config
from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.verifying import verify_files
from sfd_core.errors import ModelRefused
from sfd_core.families.protocol import Generator, LoadedBase
from sfd_core.families.registry import NAMES, describe, family_of, family_of_published


def load_base(model: BaseModel, device: torch.device | str = "cpu") -> LoadedBase:
    """Verify every file of ``model`` against its manifest and load its networks, onto ``device``.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    limits = {name: most for layout in describe(model.family).layouts for name, most in layout.limits.items()}
    verify_files(model, limits)
    return family_of(model.family).load(model, device)


def load_generator(folder: Path, device: str = "cpu") -> Generator:
    """Open a published generator's folder, of whichever family. Nothing of it is executed.

    Raises:
        ModelRefused: naming the file and what is wrong with it.
    """
    path = folder / "model_index.json"
    index = read_config(path)
    if (family := family_of_published(index)) is None:
        known = (
            f"{pipeline} over {family.one_step_scheduler}"
            for family in map(describe, NAMES)
            for pipeline in family.pipelines
        )
        raise ModelRefused(
            f"{path}: _class_name is {shown(index.get('_class_name'))}, scheduler is {shown(index.get('scheduler'))}; "
            f"a generator's are {' or '.join(known)}"
        )
    return family_of(family.name).load_generator(folder, device)
