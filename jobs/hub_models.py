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
from sfd_core.families.registry import UNSAID, hub_families, unfetched
from sfd_core.suggestions import did_you_mean, unknown

PREFIX = "hub:"
NONE = "it starts from none: LETHE_HUB_MODELS is not set"


def families_of(allowed: Collection[str]) -> dict[str, str]:
    """Return the family of each model that jobs may start from, by ``org/name``. ``allowed``: ``org/name=family``, or
    ``org/name`` for one of Stable Diffusion 1.x or 2.x.

    Raises:
        ValueError: for an entry of another form, a family that is not fetched of hubs, or a model named twice.
    """
    known = hub_families()
    found: dict[str, str] = {}
    for entry in allowed:
        name, says, family = entry.partition("=")
        if not is_hub_name(name):
            raise ValueError(f"{entry!r} is no org/name of a hub, such as sd-legacy/stable-diffusion-v1-5")
        if says and family not in known:
            raise ValueError(f"{entry!r}: {unknown('family', family, known)}")
        if name in found:
            raise ValueError(f"{name!r} is named twice")
        found[name] = family or UNSAID
    return found


def is_hub_name(name: str) -> bool:
    """Return whether ``name`` is an ``org/name``."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+", name, re.ASCII) is not None and ".." not in name


def hub_model(name: str, allowed: Collection[str]) -> BaseModel:
    """Return the model ``hub:org/name@commit``, of which nothing but its family is known. Its digest is the commit.
    ``allowed``: as of :func:`families_of`.

    Raises:
        InvalidRequest: for a name of another form, or one that is not ``allowed``.
    """
    hub, families = parse_hub_name(name), families_of(allowed)
    if hub.org_name not in families:
        known = f"it may start from {', '.join(families)}" if families else NONE
        meant = did_you_mean(hub.org_name, families)
        message = f"{hub.org_name} is no model of a hub that this service starts from{meant}; {known}"
        raise InvalidRequest((FieldError("/base_model", message),))
    return dataclasses.replace(unfetched(families[hub.org_name], name, hub.org_name), digest=f"git:{hub.revision}")


def hub_folder(root: Path, hub: Hub) -> Path:
    """Return the folder in which ``hub`` is kept, below ``root``."""
    return root / hub.org_name / hub.revision
