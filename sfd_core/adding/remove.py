"""A base model goes. Plain: importing this does not import torch."""

from __future__ import annotations

from pathlib import Path

from sfd_core.adding.writing import unfinished
from sfd_core.errors import ModelRefused


def remove_model(folder: Path, models: Path) -> None:
    """Remove a model's ``folder`` from that of those that were added, whether it can be read or not: at once for
    whoever looks, whatever happens on the way.

    Raises:
        ModelRefused: for one that is not in that folder, such as one that came with Lethe.
    """
    if folder.resolve().parent != models.resolve():
        raise ModelRefused(f"{folder} is not in {models}, the folder of models that were added: it is not removed")
    with unfinished(models) as grave:
        folder.rename(grave / folder.name)
