"""What is forgotten, what overrides it, and how long a run may take. Plain: importing this does not import torch.

The shape of a request's items, whatever the model. What they mean for a class-conditional model is checked here, for a
text-to-image model in ``sfd_core.prompts.items``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sfd_core.errors import Collected, FieldError, InvalidRequest
from sfd_core.request.prompt_lists import MAX_PROMPTS, check_prompts, check_text

MAX_BUDGET_IMAGES = 100_000_000
MAX_BUDGET_SECONDS = 30 * 24 * 3600
MAX_WORDS = 1000


@dataclass(frozen=True)
class FixedOverride:
    """Asked for the forgotten concept, the generator answers with this one. To a text-to-image model: these words take
    the place of the concept's in the prompt."""

    concept: str


@dataclass(frozen=True)
class RandomOverride:
    """Each image of the forgotten concept is answered with a remaining concept (of the same domain) drawn at random."""


@dataclass(frozen=True)
class JudgeOverride:
    """Each image is answered with the remaining concept that the judge sees in the fake score's prediction. Of
    class-conditional models only."""


@dataclass(frozen=True)
class PromptsOverride:
    """Each image is answered with one of these prompts, drawn at random. Of text-to-image models only, as the next."""

    prompts: tuple[str, ...]


@dataclass(frozen=True)
class NegativeOverride:
    """Each image is answered with its prompt, the concept's words left out, guided away from ``text``."""

    text: str


@dataclass(frozen=True)
class EmptyOverride:
    """Each image is answered with the empty prompt."""


Override = FixedOverride | RandomOverride | JudgeOverride | PromptsOverride | NegativeOverride | EmptyOverride
OVERRIDES = (
    'must be the name of a concept or the words that replace it, {"random": true}, {"judge": true}, '
    '{"prompts": [...]}, {"negative": "..."} or {"empty": true}'
)


@dataclass(frozen=True)
class Topic:
    """What has no one name: every subject with every keyword is a prompt; the keywords are its words."""

    subjects: tuple[str, ...]
    keywords: tuple[str, ...]


@dataclass(frozen=True)
class Forget:
    """One forgotten concept and its own override.

    Of text-to-image models: ``words`` name it in a prompt (its own name, if there are none); ``prompts`` are those that
    are to forget it (made from templates, if there are none); or it is a ``topic``, which brings both.
    """

    concept: str
    override: Override
    words: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()
    topic: Topic | None = None


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


def parse_forget(raw: Mapping[str, Any], pointer: str) -> Forget:
    """One item of a request's ``forget`` (types as in the API's schema).

    Raises:
        InvalidRequest: with every wrong field.
    """
    collected = Collected()
    attempt, errors = collected.attempt, collected.errors

    override = attempt(lambda: parse_override(raw["override"], f"{pointer}/override"))
    words = attempt(lambda: _words(raw.get("words"), f"{pointer}/words"))
    given = raw.get("prompts")
    prompts = () if given is None else attempt(lambda: check_prompts(given, f"{pointer}/prompts"))
    topic = attempt(lambda: _topic(raw.get("topic"), f"{pointer}/topic"))
    if raw.get("topic") is not None and (raw.get("words") is not None or given is not None):
        errors.append(FieldError(f"{pointer}/topic", "brings its own prompts and words: give no others beside it"))
    if errors:
        raise InvalidRequest(tuple(errors))
    return Forget(raw["concept"], override, words, prompts, topic)


def parse_override(raw: str | Mapping[str, Any], pointer: str) -> Override:
    """An override as requests write it: words, or an object with one key; :data:`OVERRIDES` lists them.

    Raises:
        InvalidRequest: for anything else.
    """
    if isinstance(raw, str):
        return FixedOverride(raw)
    match dict(raw):
        case {"random": True, **rest} if not rest:
            return RandomOverride()
        case {"judge": True, **rest} if not rest:
            return JudgeOverride()
        case {"empty": True, **rest} if not rest:
            return EmptyOverride()
        case {"negative": str(text), **rest} if not rest:
            return NegativeOverride(check_text(text, f"{pointer}/negative"))
        case {"prompts": [*prompts], **rest} if not rest and all(isinstance(prompt, str) for prompt in prompts):
            return PromptsOverride(check_prompts(prompts, f"{pointer}/prompts"))
    raise InvalidRequest((FieldError(pointer, OVERRIDES),))


def _words(raw: Sequence[str] | None, pointer: str, most: int = MAX_WORDS) -> tuple[str, ...]:
    if raw is None:
        return ()
    if len(raw) > most:
        raise InvalidRequest((FieldError(pointer, f"must be 1 to {most}, not {len(raw)}"),))
    return check_prompts(raw, pointer)


def _topic(raw: Mapping[str, Any] | None, pointer: str) -> Topic | None:
    if raw is None:
        return None
    topic = Topic(_words(raw["subjects"], f"{pointer}/subjects"), _words(raw["keywords"], f"{pointer}/keywords"))
    if (made := len(topic.subjects) * len(topic.keywords)) > MAX_PROMPTS:
        message = f"every subject with every keyword makes {made} prompts; at most {MAX_PROMPTS} are read"
        raise InvalidRequest((FieldError(pointer, message),))
    return topic


def forget_to_json(item: Forget) -> dict[str, Any]:
    """The inverse of :func:`parse_forget`: what was not given is left out."""
    written: dict[str, Any] = {"concept": item.concept, "override": override_to_json(item.override)}
    if item.words:
        written["words"] = list(item.words)
    if item.prompts:
        written["prompts"] = list(item.prompts)
    if item.topic is not None:
        written["topic"] = {"subjects": list(item.topic.subjects), "keywords": list(item.topic.keywords)}
    return written


def override_to_json(override: Override) -> str | dict[str, Any]:
    """The inverse of :func:`parse_override`."""
    match override:
        case FixedOverride(concept):
            return concept
        case RandomOverride():
            return {"random": True}
        case JudgeOverride():
            return {"judge": True}
        case PromptsOverride(prompts):
            return {"prompts": list(prompts)}
        case NegativeOverride(text):
            return {"negative": text}
        case EmptyOverride():
            return {"empty": True}


def check_forgetting(forget: Sequence[Forget], concepts: Sequence[str]) -> None:
    """Refuse what would be a silent no-op or has no meaning for a class-conditional model that knows ``concepts``.

    Raises:
        InvalidRequest: for an unknown or repeated concept, an override that is the forgotten concept itself or is
            itself forgotten, nothing left to remain, or what only a text-to-image model can be told. Every wrong item
            is listed.
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
        errors += [
            FieldError(f"{at}/{name}", "means something to text-to-image models only: leave it out")
            for name in ("words", "prompts", "topic")
            if getattr(item, name)
        ]
        if isinstance(item.override, PromptsOverride | NegativeOverride | EmptyOverride):
            message = "a class-conditional model has no prompts: name a concept, or say random or judge"
            errors.append(FieldError(f"{at}/override", message))
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
