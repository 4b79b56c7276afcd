"""What is forgotten, what overrides it, and how long a run may take. Plain: importing this does not import torch.

The dataclasses are the schema of a request's items, whatever the model (``sfd_core.request.reading`` reads them). What
they mean for a class-conditional model is checked here, for a text-to-image model in ``sfd_core.prompts.items``; what
an override means, its kind says (``sfd_core.request.overrides``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import not_
from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer, PlainValidator, model_validator

from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.request.override import Override
from sfd_core.request.overrides import AnyOverride, keyword_meant, not_for_classes, read_override, written_override
from sfd_core.request.prompt_lists import MAX_PROMPTS, Prompts, Words
from sfd_core.request.reading import MOST_ERRORS, Flag, Number, Text, Whole, known_fields_only, not_given
from sfd_core.suggestions import unknown

MAX_BUDGET_IMAGES = 100_000_000
MAX_BUDGET_SECONDS = 30 * 24 * 3600
MAX_CONCEPTS = 1000
OLD_FORM = "stop_when_unlearned"
"""What ``until`` was called before it was the default: true for "pass", false for "budget"."""

Name = Annotated[Text, Field(min_length=1, max_length=200)]
Until = Literal["pass", "budget"]


@known_fields_only
@dataclass(frozen=True)
class Topic:
    """A topic, which has no one name: every subject with every keyword is to forget, before and after it."""

    subjects: Annotated[Words, Field(examples=[["a woman", "a man"]])]
    keywords: Annotated[Words, Field(examples=[["nude", "without clothes"]])]

    def __post_init__(self) -> None:
        if (made := self.prompts) > MAX_PROMPTS:
            message = f"every subject with every keyword makes {made} prompts; at most {MAX_PROMPTS} are read"
            raise InvalidRequest((FieldError("", message),))

    @property
    def prompts(self) -> int:
        """How many prompts it makes: each keyword before and after each subject."""
        return 2 * len(self.subjects) * len(self.keywords)


@known_fields_only
@dataclass(frozen=True)
class Forget:
    """One concept to forget."""

    concept: Annotated[
        Name,
        Field(
            description="A concept of the base model; of a text-to-image model also any other, by its words. Where "
            "it has domains, a name may be written with its own: `style:noto`.",
            examples=["Sneaker", "pistol"],
        ),
    ]
    override: Annotated[
        Override,
        PlainValidator(read_override, json_schema_input_type=AnyOverride),
        PlainSerializer(written_override),
        Field(
            description="What is drawn instead: a remaining concept's name (the words that take the concept's place in "
            "a prompt), a random one, the judge's choice, one of other prompts, the rest of the prompt guided away "
            "from a text, or whatever the empty prompt shows.",
            examples=[
                "Sandal",
                {"random": True},
                {"judge": True},
                {"prompts": ["a bowl of fruit"]},
                {"negative": "gun"},
            ],
        ),
    ]
    words: Annotated[
        Words | None,
        Field(
            description="Text-to-image models: the words that name it in a prompt, in any case, singular or plural. "
            "Its name, if left out.",
            examples=[["pistol", "gun"]],
            exclude_if=not_given,
        ),
    ] = None
    prompts: Annotated[
        Prompts | None,
        Field(
            description="Text-to-image models: the prompts that are to forget it. Made from templates, if left out.",
            exclude_if=not_given,
        ),
    ] = None
    topic: Annotated[Topic | None, Field(description="Instead of words and prompts.", exclude_if=not_given)] = None
    outside_vocabulary: Annotated[
        Flag,
        Field(
            description="Text-to-image models: concept and override are meant as they are spelt, also where the "
            "model's vocabulary does not have them or they look like a list or like a kind of override.",
            exclude_if=not_,
        ),
    ] = False

    def __post_init__(self) -> None:
        if self.topic is not None and (self.words is not None or self.prompts is not None):
            message = "brings its own prompts and words: give no others beside it"
            raise InvalidRequest((FieldError("/topic", message),))


@known_fields_only
@dataclass(frozen=True)
class Retain:
    """Prompts to retain, for text-to-image models: what must stay as it is. Those that name what is forgotten are left
    out."""

    prompts: Prompts


@known_fields_only
@dataclass(frozen=True)
class Budget:
    """The budget of the training: the most that it may take, whichever limit is met first."""

    images: Annotated[
        Whole,
        Field(
            ge=1,
            le=MAX_BUDGET_IMAGES,
            description="Generated images to train on, at most. If left out, the default of the model's family; shown "
            "is that of class-conditional models.",
            examples=[25600],
        ),
    ] = 25_600
    seconds: Annotated[
        Annotated[Number, Field(gt=0, le=MAX_BUDGET_SECONDS)] | None, Field(description="Seconds of training, at most.")
    ] = None
    until: Annotated[
        Until,
        Field(
            description="`pass`: training ends once the run's own check says, with a margin, that the report will "
            "pass, or when the budget is used up. The check looks at other images than the report, and takes a judge "
            "of the base model's own that knows what is forgotten: without one all of the budget is used. `budget`: "
            "always all of it."
        ),
    ] = "pass"

    @model_validator(mode="before")
    @classmethod
    def _read_the_old_form(cls, raw: Any) -> Any:
        """Read ``stop_when_unlearned``, which jobs and records from before ``until`` state."""
        if not isinstance(raw, Mapping) or OLD_FORM not in raw:
            return raw
        old = raw[OLD_FORM]
        if not isinstance(old, bool):
            raise InvalidRequest((FieldError(f"/{OLD_FORM}", "must be true or false"),))
        if "until" in raw:
            message = 'is the old form of "until": leave it out'
            raise InvalidRequest((FieldError(f"/{OLD_FORM}", message),))
        rest = {name: value for name, value in raw.items() if name != OLD_FORM}
        return {**rest, "until": "pass" if old else "budget"}


def not_one_name(concept: str) -> str | None:
    """Say what is right instead of ``concept``, where that is a list; None where it is one name."""
    if len(names := [name.strip() for name in re.split("[,;，、]", concept) if name.strip()]) < 2:
        return None
    return (
        f"{concept!r} names {len(names)} things: give each an item of its own (several --forget), or one item the list "
        "as its words (--words)"
    )


def check_forgetting(forget: Sequence[Forget], concepts: Sequence[str]) -> None:
    """Refuse what would be a silent no-op or has no meaning for a class-conditional model that knows ``concepts``.

    Raises:
        InvalidRequest: for an unknown or repeated concept, an override that is the forgotten concept itself or is
            itself forgotten, nothing left to remain, or what only a text-to-image model can be told. Every wrong item
            is listed.
    """
    errors: list[FieldError] = []
    forgotten = {item.concept for item in forget}
    seen: set[str] = set()
    for i, item in enumerate(forget):
        at = f"/forget/{i}"
        if item.concept not in concepts:
            said = not_one_name(item.concept) or unknown("concept", item.concept, concepts)
            errors.append(FieldError(f"{at}/concept", said))
        elif item.concept in seen:
            errors.append(FieldError(f"{at}/concept", f"{item.concept!r} is named twice"))
        seen.add(item.concept)
        errors += [
            FieldError(f"{at}/{name}", "supported for text-to-image models only")
            for name in ("words", "prompts", "topic", "outside_vocabulary")
            if getattr(item, name)
        ]
        if (message := not_for_classes(item.override)) is not None:
            errors.append(FieldError(f"{at}/override", message))
        if (message := keyword_meant(item.override, concepts)) is not None:
            errors.append(FieldError(f"{at}/override", message))
        else:
            errors += item.override.class_errors(f"{at}/override", item.concept, concepts, forgotten)
        if len(errors) >= MOST_ERRORS:
            break
    if not errors and len(forgotten) == len(concepts):
        errors.append(FieldError("/forget", "names every concept of the model: at least one must remain"))
    if errors:
        raise InvalidRequest(tuple(errors))


def remaining(forget: Sequence[Forget], concepts: Sequence[str]) -> tuple[str, ...]:
    """Return the concepts that stay, in the model's order."""
    forgotten = {item.concept for item in forget}
    return tuple(c for c in concepts if c not in forgotten)
