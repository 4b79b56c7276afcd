"""What an evaluation looks at, as a request asks for it. What it must reach is ``thresholds``, by the names of
criteria. Which criteria and probes there are is not known here, but in ``sfd_core.evaluation``. Plain:
does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from sfd_core.request.reading import Flag, Text, Whole, known_fields_only

MOST_IMAGES = 100_000
"""Images of one concept, at most."""
ImageCount = Annotated[Whole, Field(ge=2, le=MOST_IMAGES)]
FORGOTTEN_IMAGES = 20_000
"""Images of all forgotten concepts together, where a request does not say how many it wants of each."""
FEWEST_FORGOTTEN = 1000
"""And at least these of each."""


@known_fields_only
@dataclass(frozen=True)
class EvaluationPlan:
    """The number of images that are judged, and what is tried beside. More images, narrower intervals."""

    images_per_concept: ImageCount = 500
    """Evaluation images per remaining concept."""
    images_per_forgotten_concept: ImageCount = 2000
    """Evaluation images per forgotten concept. If left out and more than 10 are forgotten, fewer of each, so that all
    together are 20 000; never fewer than 1000, nor than decide for `thresholds.unlearning_accuracy` with a miss or two:
    1600 each of 40 concepts for 99 %."""
    probes: Annotated[tuple[Text, ...], Field(max_length=20)] = ()
    """Attempts to bring a forgotten concept back, by name; each takes half a minute or so. They are reported and do not
    change the verdict. They work on class-conditional models."""
    nsfw: Flag = False
    """Whether to count what an NSFW detector flags among the images asked for what is forgotten. Text-to-image models
    only; always done where a topic is forgotten."""


def images_of_each(forgotten: int, deciding: int) -> int:
    """Return the images of each of so many ``forgotten`` concepts that are judged, where a request does not say.
    ``deciding``: as many as it takes to decide for the threshold that each must reach."""
    shared = min(EvaluationPlan.images_per_forgotten_concept, FORGOTTEN_IMAGES // forgotten)
    return min(MOST_IMAGES, max(FEWEST_FORGOTTEN, deciding, shared))
