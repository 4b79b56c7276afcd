"""What an evaluation looks at, as a request asks for it. What it must reach is ``thresholds``, by the names of
criteria. Which criteria and probes there are is not known here, but in ``sfd_core.evaluation``. Plain:
does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Le

from sfd_core.errors import FieldError, InvalidRequest

FEWEST, MOST = 2, 100_000
ImageCount = Annotated[int, Ge(FEWEST), Le(MOST)]


@dataclass(frozen=True)
class EvaluationPlan:
    """How many images are judged, and what is tried beside."""

    images_per_concept: ImageCount = 500
    """Evaluation images per remaining concept."""
    images_per_forgotten_concept: ImageCount = 2000
    """Evaluation images per forgotten concept."""
    probes: tuple[str, ...] = ()
    """Attempts to bring a forgotten concept back that are asked for, by name."""
    nsfw: bool = False
    """Whether to count what an NSFW detector flags among the images asked for what is forgotten. Of a topic it is
    always measured."""

    def __post_init__(self) -> None:
        errors = [
            FieldError(f"/evaluation/{name}", f"must be from {FEWEST} to {MOST}, not {value}")
            for name in ("images_per_concept", "images_per_forgotten_concept")
            if not FEWEST <= (value := getattr(self, name)) <= MOST
        ]
        if errors:
            raise InvalidRequest(tuple(errors))
