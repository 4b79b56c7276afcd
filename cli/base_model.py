"""The base model that a command names."""

from __future__ import annotations

from pathlib import Path

import typer

from jobs.settings import Settings
from sfd_core.manifest import BaseModel, load_manifest


def base_model(name: str, settings: Settings) -> BaseModel:
    """A registered base model, or the one in a folder.

    Raises:
        typer.BadParameter: for a name that is neither, with the known ones.
        ModelRefused: for a folder whose manifest cannot be read.
    """
    if Path(name).is_dir():
        return load_manifest(Path(name))
    registered = settings.models()
    if name not in registered:
        raise typer.BadParameter(f"unknown base model {name!r}; known: {', '.join(registered)}", param_hint="--base")
    return registered[name]
