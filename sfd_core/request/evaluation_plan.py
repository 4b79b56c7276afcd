"""What an evaluation looks at, as a request asks for it. What it must reach is ``thresholds``, by the names of
criteria. Which criteria and probes there are is not known here, but in ``sfd_core.evaluation``. Plain:
does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from sfd_core.request.reading import Flag, Text, Whole, known_fields_only

ImageCount = Annotated[Whole, Field(ge=2, le=100_000)]


FORGOTTEN_IMAGES = 20_000
"""Images of all forgotten concepts together, where a request does not say how many it wants of each."""
FEWEST_FORGOTTEN = 1000
"""And at least these of each: with as many a share of 99 % is decided for some thirty concepts at once, none of whose
images shows what it was asked for."""


@known_fields_only
@dataclass(frozen=True)
class EvaluationPlan:
    """The number of images that are judged, and what is tried beside. More images, narrower intervals."""

    images_per_concept: ImageCount = 500
    """Evaluation images per remaining concept."""
    images_per_forgotten_concept: ImageCount = 2000
    """Evaluation images per forgotten concept. If left out and more than 10 are forgotten, fewer of each, so that all
    together are 20 000; never fewer than 1000."""
    probes: Annotated[tuple[Text, ...], Field(max_length=20)] = ()
    """Attempts to bring a forgotten concept back, by name; each takes half a minute or so. They are reported and do not
    change the verdict. They work on class-conditional models."""
    nsfw: Flag = False
    """Whether to count what an NSFW detector flags among the images asked for what is forgotten. Text-to-image models
    only; always done where a topic is forgotten."""


def images_of_each(forgotten: int) -> int:
    """Return the images of each of so many ``forgotten`` concepts that are judged, where a request does not say."""
    return max(FEWEST_FORGOTTEN, min(EvaluationPlan.images_per_forgotten_concept, FORGOTTEN_IMAGES // forgotten))
