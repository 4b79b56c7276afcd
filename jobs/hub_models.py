"""Models of a hub that jobs may start from: which those are, what is known of one before it is fetched, and where it
lies afterwards."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection
from pathlib import Path

from sfd_core.base_model.hub_name import Hub, parse_hub_name
from sfd_core.base_model.manifest import BaseModel
from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.families.registry import unfetched
from sfd_core.suggestions import did_you_mean

PREFIX = "hub:"


def is_hub_name(name: str) -> bool:
    """Return whether ``name`` is an ``org/name``."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", name, re.ASCII) is not None and ".." not in name


def hub_model(name: str, allowed: Collection[str]) -> BaseModel:
    """Return the model ``hub:org/name@commit``, of which nothing else is known. Its digest is the commit.

    Raises:
        InvalidRequest: for a name of another form, or one that is not ``allowed``.
    """
    hub = parse_hub_name(name)
    if hub.org_name not in allowed:
        known = (
            f"it may start from {', '.join(allowed)}" if allowed else "it starts from none: LETHE_HUB_MODELS is not set"
        )
        meant = did_you_mean(hub.org_name, allowed)
        message = f"{hub.org_name} is no model of a hub that this service starts from{meant}; {known}"
        raise InvalidRequest((FieldError("/base_model", message),))
    return dataclasses.replace(unfetched(name, hub.org_name), digest=f"git:{hub.revision}")


def hub_folder(root: Path, hub: Hub) -> Path:
    """Return the folder in which ``hub`` is kept, below ``root``."""
    return root / hub.org_name / hub.revision
