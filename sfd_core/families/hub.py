"""A base model of a hub, of whichever family: fetched, and read as any other."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import constants

from sfd_core.base_model import hub as hubs
from sfd_core.base_model.hub_name import Hub
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import ModelRefused
from sfd_core.families.registry import hub_layouts, load_manifest


def fetch(
    hub: Hub,
    family: str | None,
    folder: Path,
    progress: hubs.Progress | None = None,
    endpoint: str = constants.ENDPOINT,
) -> BaseModel:
    """Fetch the model of ``hub``, which was allowed as one of ``family`` (None: of any), into ``folder``, unless it
    is there: :func:`sfd_core.base_model.hub.fetch`.

    Raises:
        ModelRefused, ModelUnavailable: as that does; also for what is there, of another family.
    """
    hubs.fetch(hub, family, folder, hub_layouts(), progress, endpoint)
    model = load_manifest(folder)
    if family is not None and model.family != family:
        raise ModelRefused(f"{folder}: {hubs.of_another_family(hub, model.family, family)}")
    return model
