"""Who looked at the images, as a report names them. Plain: does not import torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sfd_core.evaluation.field_types import Count, Digest, Share


@dataclass(frozen=True)
class JudgeFacts:
    """A network apart from the one that was trained, which answers: which concept is in this image?"""

    name: str
    """What the judge is called in its base model's manifest, or CLIP zero-shot and the folder of its weights."""
    accuracy: Share | None
    """Share of real, held-out images in which it sees the true concept. Null where it was not tried on any: CLIP
    zero-shot, or a classifier that came without such images."""
    accuracy_images: Count
    """How many real images that accuracy was measured on."""
    digest: Digest
    """SHA-256 over its files and their names, as the manifest gives it or as CLIP's folder makes it."""


Role = Literal[
    "judge",
    "second judge",
    "judge of another domain",
    "second judge of another domain",
    "features",
    "clip",
    "nsfw detector",
    "reference",
]


@dataclass(frozen=True)
class EvaluatorFacts:
    """One network or file that figures rest on."""

    name: str
    """What it is called."""
    role: Role
    """What it was used for."""
    digest: Digest
    """SHA-256 of its weights or file."""
