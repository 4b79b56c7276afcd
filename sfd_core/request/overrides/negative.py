"""The rest of the prompt, guided away from a text."""

from __future__ import annotations

from dataclasses import dataclass

from sfd_core.errors import FieldError
from sfd_core.request.override import Choice, Condition, ForgottenText, Override, OverrideKind, one_key
from sfd_core.request.prompt_lists import OnePrompt
from sfd_core.request.recipe import Recipe


@one_key
@dataclass(frozen=True)
class NegativeOverride(Override):
    """The prompt of each image, the concept's words left out, guided away from this text. Text-to-image models only;
    takes a `recipe.kappa4` above 1."""

    negative: OnePrompt

    def in_words(self) -> str:
        return f"the prompt, guided away from “{self.negative}”"

    def recipe_errors(self, recipe: Recipe) -> list[FieldError]:
        message = "must be above 1 where the override is a negative prompt: 1 is no guidance"
        kappas = {"kappa4": recipe.kappa4, **({"deep_kappa": recipe.deep_kappa} if recipe.deep_weight else {})}
        if recipe.negative_in_fake_score:
            kappas |= {"kappa1": recipe.kappa1, "kappa2": recipe.kappa2, "kappa3": recipe.kappa3}
        return [FieldError(f"/recipe/{name}", message) for name, kappa in kappas.items() if kappa <= 1]

    def conditions(self, prompt: ForgottenText) -> tuple[Condition, ...]:
        return (Condition(prompt.removed(), self.negative),)


KIND = OverrideKind(
    place=50,
    place_in_form=40,
    override=NegativeOverride,
    key="negative",
    takes="line",
    reported="The prompt without the concept's words, guided away from this text.",
    for_prompts=Choice("The prompt without the concept, with a negative prompt", beside="Away from"),
)
