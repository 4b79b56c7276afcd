"""What a kind of override brings; ``sfd_core.request.overrides`` holds the kinds, one a file. Plain: does not import
torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

from pydantic import BeforeValidator, ConfigDict, with_config

from sfd_core.errors import FieldError
from sfd_core.request.recipe import Recipe


def _true(value: object) -> object:
    if value is not True:
        raise ValueError("must be true")
    return value


Always = Annotated[Literal[True], BeforeValidator(_true)]
one_key = with_config(ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1}))
"""For an override that is written as an object with one key."""


@dataclass(frozen=True)
class Condition:
    """The condition that a network is asked with. ``negative``: the prompt that it is guided away from (the empty
    one)."""

    prompt: str
    negative: str = ""


class ItemInPrompts(Protocol):
    """An item of a request to a text-to-image model, as far as its override is checked against it. ``at``: the JSON
    pointer of the override. ``has_others``: the model knows concepts of the same domain."""

    at: str
    concept: str
    has_others: bool

    def wrong_answers(self, texts: Mapping[str, str]) -> list[FieldError]:
        """Return what is wrong with ``texts`` (by pointer) in the place of the item's words."""

    def nothing_to_replace(self) -> list[FieldError]:
        """Return the item's own prompts that none of its words is in."""


class ForgottenText(Protocol):
    """One prompt that is to forget an item."""

    def replaced(self, by: str) -> str:
        """Return the prompt with ``by`` in the place of the item's words."""

    def removed(self) -> str:
        """Return the prompt without the item's words."""

    def with_others(self) -> Sequence[str]:
        """Return the prompt with each remaining concept of the same domain in the item's place."""


class Override(ABC):
    """The answer where a forgotten concept is asked for: each kind says what that is for the models it is for."""

    @abstractmethod
    def in_words(self) -> str:
        """Describe it so that "the generator is to show ..." can be said of it."""

    def class_errors(
        self, at: str, concept: str, concepts: Sequence[str], forgotten: Collection[str]
    ) -> list[FieldError]:
        """Find what is wrong with it, at the pointer ``at``, for ``concept`` of a model that knows ``concepts``."""
        return []

    def labels(self, remaining: Sequence[int], label_of: Callable[[str], int]) -> Sequence[int] | None:
        """Name the labels that a forgotten one is answered with, each equally likely; None: the judge chooses.

        Raises:
            ValueError: of a kind that is for text-to-image models only.
        """
        raise ValueError(f"{self} means nothing to a class-conditional model")

    def prompt_errors(self, item: ItemInPrompts) -> list[FieldError]:
        """Find what is wrong with it for ``item`` of a text-to-image model."""
        return []

    def recipe_errors(self, recipe: Recipe) -> list[FieldError]:
        """Find what ``recipe`` must say for it to do anything in a text-to-image model."""
        return []

    def conditions(self, prompt: ForgottenText) -> tuple[Condition, ...]:
        """Make what ``prompt`` is answered with, each equally likely.

        Raises:
            ValueError: of a kind that is for class-conditional models only.
        """
        raise ValueError(f"{self} means nothing to a text-to-image model")


@dataclass(frozen=True)
class Choice:
    """An override in the form for a new job. ``label``: of the choice; empty where the form lists the concepts.
    ``beside``: what the field of its text is called."""

    label: str = ""
    beside: str = ""


@dataclass(frozen=True)
class OverrideKind:
    """One kind of override.

    ``key``: of the object that a request writes it as, and its word on the command line; empty for the one that is
    written as text alone. ``takes``: what stands under the key: nothing (``true``), a line of text or lines of text (of
    a file, on the command line). ``place``: among the kinds in documents; ``place_in_form``: in the form.
    ``reported``: what a report's schema says of it. ``for_classes``, ``for_prompts``: how it is chosen for models of
    either kind; None where it means nothing to them. ``needs_others``: the model must know other concepts.
    """

    place: int
    place_in_form: int
    override: type[Override]
    key: str
    takes: Literal["nothing", "line", "lines"]
    reported: str
    for_classes: Choice | None = None
    for_prompts: Choice | None = None
    needs_others: bool = False

    @property
    def example(self) -> str:
        """How a request writes it."""
        return f'{{"{self.key}": {_JSON_EXAMPLES[self.takes]}}}'

    @property
    def on_command_line(self) -> str:
        """How the command has it, right of ``=``."""
        return self.key + _COMMAND_EXAMPLES[self.takes]

    def from_command(self, text: str, read_lines: Callable[[str], list[str]]) -> dict[str, Any] | None:
        """Read ``random``, ``negative:TEXT`` or ``prompts:FILE`` as a request writes it; None where ``text`` is of
        another kind. ``read_lines``: of a file."""
        if self.takes == "nothing":
            return {self.key: True} if text == self.key else None
        if not text.startswith(f"{self.key}:"):
            return None
        value = text.removeprefix(f"{self.key}:").strip()
        return {self.key: value if self.takes == "line" else read_lines(value)}

    def reported_schema(self) -> dict[str, Any]:
        """Return the JSON schema of it in a report."""
        if not self.key:
            return {"type": "string"}
        properties = {self.key: {"description": self.reported, **_REPORTED[self.takes]}}
        return {"type": "object", "properties": properties, "required": [self.key], "additionalProperties": False}


_JSON_EXAMPLES = {"nothing": "true", "line": '"..."', "lines": "[...]"}
_COMMAND_EXAMPLES = {"nothing": "", "line": ":...", "lines": ":FILE"}
_REPORTED: Mapping[str, dict[str, Any]] = {
    "nothing": {"const": True},
    "line": {"type": "string"},
    "lines": {"type": "array", "items": {"type": "string"}, "minItems": 1},
}
