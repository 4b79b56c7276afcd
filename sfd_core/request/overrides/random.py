"""A remaining concept, drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sfd_core.errors import FieldError
from sfd_core.request.override import (
    Always,
    Choice,
    Condition,
    ForgottenText,
    ItemInPrompts,
    Override,
    OverrideKind,
    one_key,
)


@one_key
@dataclass(frozen=True)
class RandomOverride(Override):
    """A remaining concept drawn at random, for each image of the forgotten one (of a text-to-image model: of the same
    domain)."""

    random: Always = True

    def in_words(self) -> str:
        return "a random remaining concept"

    def labels(self, remaining: Sequence[int], label_of: Callable[[str], int]) -> Sequence[int]:
        return remaining

    def prompt_errors(self, item: ItemInPrompts) -> list[FieldError]:
        if not item.has_others:
            message = f"there is no list of other concepts than {item.concept!r} to draw from: say what replaces it"
            return [FieldError(item.at, message)]
        return item.nothing_to_replace()

    def conditions(self, prompt: ForgottenText) -> tuple[Condition, ...]:
        return tuple(map(Condition, prompt.with_others()))


KIND = OverrideKind(
    place=20,
    place_in_form=20,
    override=RandomOverride,
    key="random",
    takes="nothing",
    reported="Another remaining concept is drawn for every image.",
    for_classes=Choice("A random remaining concept"),
    for_prompts=Choice("A random concept of its kind"),
    needs_others=True,
)
