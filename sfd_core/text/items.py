"""What the items of a request mean to a text-to-image model, and which would do nothing. Plain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.forgetting import (
    FixedOverride,
    Forget,
    JudgeOverride,
    NegativeOverride,
    PromptsOverride,
    RandomOverride,
)
from sfd_core.recipe import Recipe
from sfd_core.text.lists import check_text
from sfd_core.text.vocabulary import Vocabulary
from sfd_core.text.words import mentions

if TYPE_CHECKING:
    from sfd_core.manifest import BaseModel


def words_of(item: Forget) -> tuple[str, ...]:
    """The words that an item names what it forgets by."""
    if item.topic is not None:
        return item.topic.keywords
    return item.words or (item.concept,)


def known_words(item: Forget, vocabulary: Vocabulary | None) -> tuple[str, ...]:
    """These, and every other word that the vocabulary has for it."""
    at = vocabulary.find(item.concept) if vocabulary is not None else None
    also = vocabulary.domains[at[0]][at[1]].words if vocabulary is not None and at is not None else ()
    return tuple(dict.fromkeys((*words_of(item), *also)))


def forgotten_words(forget: Sequence[Forget], vocabulary: Vocabulary | None) -> tuple[str, ...]:
    """The known words of all items."""
    return tuple(dict.fromkeys(word for item in forget for word in known_words(item, vocabulary)))


def check_items(forget: Sequence[Forget], model: BaseModel) -> None:
    """Refuse what would be a silent no-op or has no meaning for a text-to-image model. A concept that the model's
    vocabulary does not have is no error: any words can be asked for.

    Raises:
        InvalidRequest: with every wrong field.
    """
    errors: list[FieldError] = []
    if not forget:
        errors.append(FieldError("/forget", "must name at least one concept"))
    for i, item in enumerate(forget):
        errors += _concept_errors(i, item, forget, model.vocabulary)
        errors += _override_errors(i, item, forget, model.vocabulary)
    if not errors:
        view = model.view_for(forget)
        if view.domain is not None and not set(view.concepts) - {item.concept for item in forget}:
            message = f"names every concept of the domain {view.domain!r}: at least one must remain"
            errors.append(FieldError("/forget", message))
    if errors:
        raise InvalidRequest(tuple(errors))


def check_guidance(forget: Sequence[Forget], recipe: Recipe) -> None:
    """Refuse a negative prompt that nothing would be guided away from.

    Raises:
        InvalidRequest: pointing at the recipe.
    """
    if recipe.kappa4 <= 1 and any(isinstance(item.override, NegativeOverride) for item in forget):
        message = f"{recipe.kappa4:g} guides nothing away from a negative prompt: say more than 1"
        raise InvalidRequest((FieldError("/recipe/kappa4", message),))


def _concept_errors(i: int, item: Forget, forget: Sequence[Forget], vocabulary: Vocabulary | None) -> list[FieldError]:
    at = f"/forget/{i}"
    errors: list[FieldError] = []
    try:
        check_text(item.concept, f"{at}/concept")
    except InvalidRequest as error:
        errors += error.errors
    owner = vocabulary.owner(item.concept) if vocabulary is not None else None
    if vocabulary is not None and owner is not None and vocabulary.find(item.concept) is None:
        message = f"{item.concept!r} is a word for {owner.name!r} here: name that, with words: [{item.concept!r}]"
        errors.append(FieldError(f"{at}/concept", message))
    for j, other in enumerate(forget[:i]):
        if other.concept.casefold() == item.concept.casefold():
            errors.append(FieldError(f"{at}/concept", f"{item.concept!r} is named twice"))
            break
        if shared := _folded(known_words(item, vocabulary)) & _folded(known_words(other, vocabulary)):
            message = f"{min(shared)!r} is also a word of item {j}: it can have one override"
            errors.append(FieldError(f"{at}/words", message))
    return errors


def _override_errors(i: int, item: Forget, forget: Sequence[Forget], vocabulary: Vocabulary | None) -> list[FieldError]:
    at, own = f"/forget/{i}/override", known_words(item, vocabulary)
    match item.override:
        case FixedOverride(text):
            errors = _instead_errors(text, at, own, forget, vocabulary)
            return errors or _unnamed(item.prompts, f"/forget/{i}/prompts", own)
        case RandomOverride():
            found = vocabulary.find(item.concept) if vocabulary is not None else None
            if vocabulary is None or found is None:
                message = f"there is no list of other concepts than {item.concept!r} to draw from: say what replaces it"
                return [FieldError(at, message)]
            return _unnamed(item.prompts, f"/forget/{i}/prompts", own)
        case JudgeOverride():
            message = "a judge looks at pictures, a text-to-image model is trained on latents: say what replaces it"
            return [FieldError(at, message)]
        case PromptsOverride(prompts):
            return [
                error
                for j, prompt in enumerate(prompts)
                for error in _instead_errors(prompt, f"{at}/prompts/{j}", own, forget, vocabulary)
            ]
        case _:
            return []


def _instead_errors(
    text: str, at: str, own: Sequence[str], forget: Sequence[Forget], vocabulary: Vocabulary | None
) -> list[FieldError]:
    """What is wrong with ``text`` in the place of ``own`` words."""
    try:
        check_text(text, at)
    except InvalidRequest as error:
        return list(error.errors)
    if text.casefold() in _folded(own):
        return [FieldError(at, f"{text!r} would override itself: name something else")]
    if mentions(text, own):
        return [FieldError(at, f"{text!r} names what it would override: name something else")]
    if mentions(text, forgotten_words(forget, vocabulary)):
        return [FieldError(at, f"{text!r} is itself forgotten: name something that remains")]
    return []


def _unnamed(prompts: Sequence[str], at: str, words: Sequence[str]) -> list[FieldError]:
    """Prompts in which there is nothing to replace."""
    message = f"names none of {', '.join(words)}: nothing in it would be replaced"
    return [FieldError(f"{at}/{j}", message) for j, prompt in enumerate(prompts) if not mentions(prompt, words)]


def _folded(words: Sequence[str]) -> set[str]:
    return {word.casefold() for word in words}
