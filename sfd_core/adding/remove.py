"""A base model goes. Plain: importing this does not import torch."""

from __future__ import annotations

from pathlib import Path

from sfd_core.adding.writing import unfinished
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import ModelRefused


def remove_model(model: BaseModel, models: Path) -> None:
    """Remove a model from the folder of those that were added: at once for whoever looks, whatever happens on the way.

    Raises:
        ModelRefused: for one that is not in that folder, such as one that came with Lethe.
    """
    if model.folder.resolve().parent != models.resolve():
        raise ModelRefused(
            f"{model.name} lies in {model.folder}, not in {models}, the folder of models that were added: it is not "
            "removed"
        )
    with unfinished(models) as grave:
        model.folder.rename(grave / model.name)
