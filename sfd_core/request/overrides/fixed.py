"""A named concept, or words in the place of the concept's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sfd_core.errors import FieldError
from sfd_core.request.override import Choice, Condition, ForgottenText, ItemInPrompts, Override, OverrideKind
from sfd_core.suggestions import unknown


@dataclass(frozen=True)
class FixedOverride(Override):
    """This concept, for every image: asked for the forgotten one, the generator answers with it. To a text-to-image
    model: these words take the place of the concept's in the prompt."""

    concept: str

    def in_words(self) -> str:
        return self.concept

    def class_errors(
        self, at: str, concept: str, concepts: Sequence[str], forgotten: Collection[str]
    ) -> list[FieldError]:
        name = self.concept
        if name == concept:
            return [FieldError(at, f"{name!r} would override itself: name another concept")]
        if name not in concepts:
            return [FieldError(at, unknown("concept", name, concepts))]
        if name in forgotten:
            return [FieldError(at, f"{name!r} is itself forgotten: name a concept that remains")]
        return []

    def labels(self, remaining: Sequence[int], label_of: Callable[[str], int]) -> Sequence[int]:
        return [label_of(self.concept)]

    def prompt_errors(self, item: ItemInPrompts) -> list[FieldError]:
        return item.wrong_answers({item.at: self.concept}) or item.nothing_to_replace()

    def conditions(self, prompt: ForgottenText) -> tuple[Condition, ...]:
        return (Condition(prompt.replaced(self.concept)),)


KIND = OverrideKind(
    place=10,
    place_in_form=10,
    override=FixedOverride,
    key="",
    takes="line",
    reported="",
    for_classes=Choice(),
    for_prompts=Choice("Other words in its place", beside="Words in its place"),
)
