"""What is shown in place of a forgotten concept, in words: the same on card, page, dashboard, pictures and command.
Plain: importing this does not import torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sfd_core.request.concepts import (
    EmptyOverride,
    FixedOverride,
    JudgeOverride,
    NegativeOverride,
    Override,
    PromptsOverride,
    RandomOverride,
    read_override,
)


def in_words(override: Override) -> str:
    """Describe an override so that "the generator is to show ..." can be said of it."""
    match override:
        case FixedOverride(concept):
            return concept
        case RandomOverride():
            return "a random remaining concept"
        case JudgeOverride():
            return "what the judge finds nearest"
        case PromptsOverride((only,)):
            return f"“{only}”"
        case PromptsOverride(prompts):
            return f"one of {len(prompts)} other prompts"
        case NegativeOverride(text):
            return f"the prompt, guided away from “{text}”"
        case EmptyOverride():
            return "the empty prompt"


def written_in_words(raw: str | Mapping[str, Any] | None) -> str:
    """Describe an override as JSON has it. ``None``: of a generator made elsewhere, nobody says. One of a later
    version, which this one does not know, is given as it is."""
    if raw is None:
        return "not stated"
    try:
        return in_words(read_override(raw))
    except ValueError:
        return json.dumps(raw)
