"""What is shown in place of a forgotten concept, in words: the same on card, page, dashboard, pictures and command.
Plain: importing this does not import torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sfd_core.request.overrides import read_override


def written_in_words(raw: str | Mapping[str, Any] | None) -> str:
    """Describe an override as JSON has it. ``None``: of a generator made elsewhere, nobody says. One of a later
    version, which this one does not know, is given as it is."""
    if raw is None:
        return "not stated"
    try:
        return read_override(raw).in_words()
    except ValueError:
        return json.dumps(raw)
