"""What a run takes back: concepts that a published generator has forgotten, and that this one is to draw again. Plain:
does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from sfd_core.request.concepts import Name
from sfd_core.request.reading import known_fields_only


@known_fields_only
@dataclass(frozen=True)
class Undone:
    """Concepts that are forgotten no longer."""

    generator: Annotated[Name, Field(description="The published generator that has forgotten them.")]
    concepts: Annotated[
        tuple[Name, ...], Field(min_length=1, description="What it has forgotten, and this run does not.")
    ]
