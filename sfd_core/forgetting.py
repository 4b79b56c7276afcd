"""What is forgotten, what overrides it, and how long a run may take. Plain: importing this does not import torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sfd_core.errors import FieldError, InvalidRequest

MAX_BUDGET_IMAGES = 100_000_000
MAX_BUDGET_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True)
class FixedOverride:
    """Asked for the forgotten concept, the generator answers with this one."""

    concept: str


@dataclass(frozen=True)
class RandomOverride:
    """Each image of the forgotten concept is answered with a remaining concept drawn at random."""


@dataclass(frozen=True)
class JudgeOverride:
    """Each image is answered with the remaining concept that the judge sees in the fake score's prediction."""


Override = FixedOverride | RandomOverride | JudgeOverride


@dataclass(frozen=True)
class Forget:
    """One forgotten concept and its own override."""

    concept: str
    override: Override


@dataclass(frozen=True)
class Budget:
    """How long to train: until ``images`` generated images or ``seconds`` of training, whichever comes first;
    with ``stop_when_unlearned`` also as soon as the quick evaluation in training says that nothing is left to gain.
    """

    images: int
    seconds: float | None = None
    stop_when_unlearned: bool = False

    def __post_init__(self) -> None:
        errors = []
        if not 1 <= self.images <= MAX_BUDGET_IMAGES:
            errors.append(FieldError("/budget/images", f"must be from 1 to {MAX_BUDGET_IMAGES}, not {self.images}"))
        if self.seconds is not None and not 0 < self.seconds <= MAX_BUDGET_SECONDS:
            errors.append(
                FieldError("/budget/seconds", f"must be above 0 and at most {MAX_BUDGET_SECONDS}, not {self.seconds}")
            )
        if errors:
            raise InvalidRequest(tuple(errors))


def parse_override(raw: str | Mapping[str, Any], pointer: str) -> Override:
    """An override as requests write it: a concept's name, ``{"random": true}`` or ``{"judge": true}``.

    Raises:
        InvalidRequest: for anything else.
    """
    if isinstance(raw, str):
        return FixedOverride(raw)
    if dict(raw) == {"random": True}:
        return RandomOverride()
    if dict(raw) == {"judge": True}:
        return JudgeOverride()
    message = 'must be the name of a concept, {"random": true} or {"judge": true}'
    raise InvalidRequest((FieldError(pointer, message),))


def override_to_json(override: Override) -> str | dict[str, bool]:
    """The inverse of :func:`parse_override`."""
    match override:
        case FixedOverride(concept):
            return concept
        case RandomOverride():
            return {"random": True}
        case JudgeOverride():
            return {"judge": True}


def check_forgetting(forget: Sequence[Forget], concepts: Sequence[str]) -> None:
    """Refuse what would be a silent no-op or has no meaning for a model that knows ``concepts``.

    Raises:
        InvalidRequest: for an unknown or repeated concept, an override that is the forgotten concept itself or is
            itself forgotten, or nothing left to remain. Every wrong item is listed.
    """
    errors: list[FieldError] = []
    forgotten = {item.concept for item in forget}
    known = ", ".join(concepts)
    if not forget:
        errors.append(FieldError("/forget", "must name at least one concept"))
    seen: set[str] = set()
    for i, item in enumerate(forget):
        at = f"/forget/{i}"
        if item.concept not in concepts:
            errors.append(FieldError(f"{at}/concept", f"unknown concept {item.concept!r}; known: {known}"))
        elif item.concept in seen:
            errors.append(FieldError(f"{at}/concept", f"{item.concept!r} is named twice"))
        seen.add(item.concept)
        if isinstance(item.override, FixedOverride):
            name = item.override.concept
            if name == item.concept:
                errors.append(FieldError(f"{at}/override", f"{name!r} would override itself: name another concept"))
            elif name not in concepts:
                errors.append(FieldError(f"{at}/override", f"unknown concept {name!r}; known: {known}"))
            elif name in forgotten:
                errors.append(
                    FieldError(f"{at}/override", f"{name!r} is itself forgotten: name a concept that remains")
                )
    if not errors and len(forgotten) == len(concepts):
        errors.append(FieldError("/forget", "names every concept of the model: at least one must remain"))
    if errors:
        raise InvalidRequest(tuple(errors))


def remaining(forget: Sequence[Forget], concepts: Sequence[str]) -> tuple[str, ...]:
    """The concepts that stay, in the model's order."""
    forgotten = {item.concept for item in forget}
    return tuple(c for c in concepts if c not in forgotten)
