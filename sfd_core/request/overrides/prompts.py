"""One of a list of prompts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from sfd_core.errors import FieldError
from sfd_core.request.override import Choice, Condition, ForgottenText, ItemInPrompts, Override, OverrideKind, one_key
from sfd_core.request.prompt_lists import Prompts


@one_key
@dataclass(frozen=True)
class PromptsOverride(Override):
    """One of these prompts, for each image. Text-to-image models only."""

    prompts: Prompts

    def in_words(self) -> str:
        if len(self.prompts) == 1:
            return f"“{self.prompts[0]}”"
        return f"one of {len(self.prompts)} other prompts"

    def prompt_errors(self, item: ItemInPrompts) -> list[FieldError]:
        return item.wrong_answers({f"{item.at}/prompts/{j}": prompt for j, prompt in enumerate(self.prompts)})

    def conditions(self, prompt: ForgottenText) -> tuple[Condition, ...]:
        return self._conditions

    @cached_property
    def _conditions(self) -> tuple[Condition, ...]:
        """The same for every prompt, so made once: ten thousand times ten thousand fit nowhere."""
        return tuple(map(Condition, self.prompts))


KIND = OverrideKind(
    place=40,
    place_in_form=50,
    override=PromptsOverride,
    key="prompts",
    takes="lines",
    reported="Each image is answered with one of these prompts, drawn at random.",
    for_prompts=Choice("One of a list of prompts", beside="Prompts, one a line"),
)
