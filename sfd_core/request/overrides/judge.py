"""What the judge sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sfd_core.errors import FieldError
from sfd_core.request.override import Always, Choice, ItemInPrompts, Override, OverrideKind, one_key


@one_key
@dataclass(frozen=True)
class JudgeOverride(Override):
    """The remaining concept that the judge sees in each image. Class-conditional models only."""

    judge: Always = True

    def in_words(self) -> str:
        return "what the judge finds nearest"

    def labels(self, remaining: Sequence[int], label_of: Callable[[str], int]) -> None:
        return None

    def prompt_errors(self, item: ItemInPrompts) -> list[FieldError]:
        message = "a judge looks at pictures, a text-to-image model is trained on latents: say what replaces it"
        return [FieldError(item.at, message)]


KIND = OverrideKind(
    place=30,
    place_in_form=30,
    override=JudgeOverride,
    key="judge",
    takes="nothing",
    reported="The remaining concept that the judge finds nearest, image by image.",
    for_classes=Choice("The judge’s choice"),
)
