"""How a request names a model of a hub. Plain: importing this does not import torch."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sfd_core.errors import FieldError, InvalidRequest


@dataclass(frozen=True)
class Hub:
    """A model of a hub. ``revision``: a commit, 40 hexadecimal digits, so that it always means the same weights."""

    org_name: str
    revision: str


def parse_hub_name(text: str) -> Hub:
    """Read ``hub:org/name@revision``.

    Raises:
        InvalidRequest: for another form, such as a branch for a revision.
    """
    found = re.fullmatch(r"hub:([\w.-]+/[\w.-]+)@([0-9a-f]{40})", text, re.ASCII)
    if found is None or ".." in text:
        message = "must be hub:org/name@revision, the revision a commit of 40 hexadecimal digits: a branch moves"
        raise InvalidRequest((FieldError("/base_model", message),))
    return Hub(found[1], found[2])
