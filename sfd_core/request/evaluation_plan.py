"""What an evaluation looks at, as a request asks for it. What it must reach is ``thresholds``, by the names of
criteria. Which criteria and probes there are is not known here, but in ``sfd_core.evaluation``. Plain:
does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.request.reading import Flag, Text, Whole, known_fields_only

FEWEST, MOST = 2, 100_000


@known_fields_only
@dataclass(frozen=True)
class EvaluationPlan:
    """The number of images that are judged, and what is tried beside."""

    images_per_concept: Whole = 500
    """Evaluation images per remaining concept."""
    images_per_forgotten_concept: Whole = 2000
    """Evaluation images per forgotten concept."""
    probes: Annotated[tuple[Text, ...], Field(max_length=20)] = ()
    """Attempts to bring a forgotten concept back that are asked for, by name."""
    nsfw: Flag = False
    """Whether to count what an NSFW detector flags among the images asked for what is forgotten. Of a topic it is
    always measured."""

    def __post_init__(self) -> None:
        errors = [
            FieldError(f"/{name}", f"must be from {FEWEST} to {MOST}, not {value}")
            for name in ("images_per_concept", "images_per_forgotten_concept")
            if not FEWEST <= (value := getattr(self, name)) <= MOST
        ]
        if errors:
            raise InvalidRequest(tuple(errors))
