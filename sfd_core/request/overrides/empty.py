"""The empty prompt."""

from __future__ import annotations

from dataclasses import dataclass

from sfd_core.request.override import Always, Choice, Condition, ForgottenText, Override, OverrideKind, one_key


@one_key
@dataclass(frozen=True)
class EmptyOverride(Override):
    """The empty prompt, for every image. Text-to-image models only."""

    empty: Always = True

    def in_words(self) -> str:
        return "the empty prompt"

    def conditions(self, prompt: ForgottenText) -> tuple[Condition, ...]:
        return (Condition(""),)


KIND = OverrideKind(
    place=60,
    place_in_form=60,
    override=EmptyOverride,
    key="empty",
    takes="nothing",
    reported="The empty prompt.",
    for_prompts=Choice("The empty prompt"),
)
