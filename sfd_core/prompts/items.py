"""What the items of a request mean to a text-to-image model, and which would do nothing. Plain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sfd_core.base_model.folding import fold
from sfd_core.base_model.manifest import BaseModel
from sfd_core.base_model.vocabulary import Vocabulary
from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.prompts.effort import Effort
from sfd_core.prompts.names import name_errors
from sfd_core.prompts.words import Words
from sfd_core.request.concepts import Forget
from sfd_core.request.overrides.negative import NegativeOverride
from sfd_core.request.prompt_lists import MAX_ERRORS, check_text
from sfd_core.request.reading import MOST_ERRORS
from sfd_core.request.recipe import Recipe

NAMED = 8
"""Words of a concept that an error lists."""


def words_of(item: Forget) -> tuple[str, ...]:
    """Return the words that an item names what it forgets by."""
    if item.topic is not None:
        return item.topic.keywords
    return item.words or (item.concept,)


def known_words(item: Forget, vocabulary: Vocabulary | None) -> tuple[str, ...]:
    """Return the words of :func:`words_of`, and every other word that the vocabulary has for it."""
    at = vocabulary.find(item.concept) if vocabulary is not None else None
    also = vocabulary.domains[at[0]][at[1]].words if vocabulary is not None and at is not None else ()
    return tuple(dict.fromkeys((*words_of(item), *also)))


def forgotten_words(forget: Sequence[Forget], vocabulary: Vocabulary | None) -> tuple[str, ...]:
    """Return the known words of all items."""
    return tuple(dict.fromkeys(word for item in forget for word in known_words(item, vocabulary)))


def check_items(forget: Sequence[Forget], model: BaseModel) -> None:
    """Refuse what would be a silent no-op or has no meaning for a text-to-image model, and what is hardly meant: names
    that the model's vocabulary does not have, where the item does not say that it is outside of it.

    Raises:
        InvalidRequest: with every wrong field.
    """
    errors: list[FieldError] = []
    errors += _concept_errors(forget, model.vocabulary)
    effort = Effort()
    gone = Words(forgotten_words(forget, model.vocabulary), effort)
    for i, item in enumerate(forget):
        doubtful = name_errors(i, item, model.vocabulary, effort)
        errors += doubtful
        if not any(error.pointer.endswith("/override") for error in doubtful):
            errors += item.override.prompt_errors(_checked(i, item, gone, model.vocabulary, effort))
        if len(errors) >= MOST_ERRORS:
            break
    if not errors:
        model.view_for(forget)
        forgotten = {item.concept for item in forget}
        for domain in dict.fromkeys(model.domain_of(item.concept) for item in forget):
            if domain is not None and not set(model.view(domain).concepts) - forgotten:
                message = f"names every concept of the domain {domain!r}: at least one must remain"
                errors.append(FieldError("/forget", message))
    if errors:
        raise InvalidRequest(tuple(errors))


def check_guidance(forget: Sequence[Forget], recipe: Recipe) -> None:
    """Refuse an override that does nothing with this recipe, a negative prompt that nothing would be guided away from,
    and a recipe that is about overrides which are not there.

    Raises:
        InvalidRequest: pointing at the recipe.
    """
    errors = dict.fromkeys(error for item in forget for error in item.override.recipe_errors(recipe))
    if recipe.negative_in_fake_score and not any(isinstance(item.override, NegativeOverride) for item in forget):
        errors[
            FieldError("/recipe/negative_in_fake_score", "no override is a negative prompt: nothing would change")
        ] = None
    if errors:
        raise InvalidRequest(tuple(errors))


def _concept_errors(forget: Sequence[Forget], vocabulary: Vocabulary | None) -> list[FieldError]:
    """Names that cannot be asked for, or that another item has too."""
    errors: list[FieldError] = []
    names: set[str] = set()
    owners: dict[str, int] = {}
    for i, item in enumerate(forget):
        at = f"/forget/{i}"
        try:
            check_text(item.concept, f"{at}/concept")
        except InvalidRequest as error:
            errors += error.errors
        owner = vocabulary.owner(item.concept) if vocabulary is not None else None
        if vocabulary is not None and owner is not None and vocabulary.find(item.concept) is None:
            message = f"{item.concept!r} is a word for {owner.name!r} here: name that, with words: [{item.concept!r}]"
            errors.append(FieldError(f"{at}/concept", message))
        words = _folded(known_words(item, vocabulary))
        if fold(item.concept) in names:
            errors.append(FieldError(f"{at}/concept", f"{item.concept!r} is named twice"))
        elif shared := words & owners.keys():
            message = f"{min(shared)!r} is also a word of item {owners[min(shared)]}: it can have one override"
            errors.append(FieldError(f"{at}/words", message))
        names.add(fold(item.concept))
        owners |= dict.fromkeys(words - owners.keys(), i)
    return errors


@dataclass
class _Checked:
    """An item whose override, at the pointer ``at``, is checked. ``words``: its known words; ``gone``: those of all
    items."""

    at: str
    concept: str
    has_others: bool
    words: Sequence[str]
    gone: Words
    prompts: Sequence[str]
    prompts_at: str
    effort: Effort

    def wrong_answers(self, texts: Mapping[str, str]) -> list[FieldError]:
        return _instead_errors(texts, self.words, self.gone, self.effort)

    def nothing_to_replace(self) -> list[FieldError]:
        return _unnamed(self.prompts, self.prompts_at, self.words, self.effort)


def _checked(i: int, item: Forget, gone: Words, vocabulary: Vocabulary | None, effort: Effort) -> _Checked:
    known = vocabulary is not None and vocabulary.find(item.concept) is not None
    words, prompts = known_words(item, vocabulary), item.prompts or ()
    return _Checked(f"/forget/{i}/override", item.concept, known, words, gone, prompts, f"/forget/{i}/prompts", effort)


def _instead_errors(texts: Mapping[str, str], words: Sequence[str], gone: Words, effort: Effort) -> list[FieldError]:
    """What is wrong with ``texts`` (by pointer) in the place of ``words``."""
    errors: list[FieldError] = []
    own, folded = Words(words, effort), _folded(words)
    for at, text in texts.items():
        try:
            check_text(text, at)
        except InvalidRequest as error:
            errors += error.errors
            continue
        if fold(text) in folded:
            errors.append(FieldError(at, f"{text!r} would override itself: name something else"))
        elif own.are_in(text):
            errors.append(FieldError(at, f"{text!r} names what it would override: name something else"))
        elif gone.are_in(text):
            errors.append(FieldError(at, f"{text!r} is itself forgotten: name something that remains"))
    return errors[:MAX_ERRORS]


def _unnamed(prompts: Sequence[str], at: str, words: Sequence[str], effort: Effort) -> list[FieldError]:
    """Prompts in which there is nothing to replace."""
    own, some = Words(words, effort), ", ".join(words[:NAMED]) + (" ..." if len(words) > NAMED else "")
    unnamed = [j for j, prompt in enumerate(prompts) if not own.are_in(prompt)]
    message = f"names none of {some}: nothing in it would be replaced"
    return [FieldError(f"{at}/{j}", message) for j in unnamed[:MAX_ERRORS]]


def _folded(words: Sequence[str]) -> set[str]:
    return set(map(fold, words))
