"""The base model that a command names."""

from __future__ import annotations

from pathlib import Path

import typer

from jobs.hub_models import PREFIX, hub_folder, hub_model
from jobs.settings import Settings
from sfd_core.base_model.hub_name import parse_hub_name
from sfd_core.base_model.manifest import MANIFEST, BaseModel
from sfd_core.errors import InvalidRequest
from sfd_core.families.registry import load_manifest


def base_model(name: str, settings: Settings) -> BaseModel:
    """Load a registered base model, the one in a folder, or a hub's, which is fetched.

    Raises:
        typer.BadParameter: for a name that is none of these, with the known ones.
        ModelRefused, ModelUnavailable: for a folder whose manifest cannot be read, or what cannot be fetched.
    """
    if (Path(name) / MANIFEST).is_file():
        return load_manifest(Path(name))
    if name.startswith(PREFIX):
        try:
            family = hub_model(name, settings.hub_models).family
        except InvalidRequest as error:
            raise typer.BadParameter(str(error), param_hint="--base") from None
        from sfd_core.families.hub import fetch

        hub = parse_hub_name(name)
        return fetch(hub, family, hub_folder(settings.hub_dir, hub))
    registered = settings.models()
    if name not in registered and Path(name).is_dir():
        raise typer.BadParameter(f"{name} has no {MANIFEST}: `lethe models add {name}`", param_hint="--base")
    if name not in registered:
        raise typer.BadParameter(registered.missing(name), param_hint="--base")
    return registered[name]
