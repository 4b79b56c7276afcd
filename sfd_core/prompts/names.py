"""Whether a request's names are those that a text-to-image model knows, or are meant as they are spelt. Plain.

A model with a vocabulary can be asked for anything else too, so that a misspelt name would train in full while the
concept that was meant is retained. So what the vocabulary does not have must be asked for as that:
``outside_vocabulary``.
"""

from __future__ import annotations

from collections.abc import Iterator

from sfd_core.base_model.vocabulary import Vocabulary
from sfd_core.errors import FieldError
from sfd_core.prompts.effort import Effort
from sfd_core.prompts.words import mentions
from sfd_core.request.concepts import Forget, not_one_name
from sfd_core.request.overrides import keyword_meant
from sfd_core.request.overrides.fixed import FixedOverride
from sfd_core.suggestions import MISSPELT, listed, nearest

COMPARED = 30
"""What it takes to see how much one name is like another, in comparisons of characters."""
AS_SPELT = 'if it is meant as it is spelt, say "outside_vocabulary": true (--outside-vocabulary)'


def name_errors(i: int, item: Forget, vocabulary: Vocabulary | None, effort: Effort) -> list[FieldError]:
    """Find what item ``i`` of a request hardly means: a list as one name, a name that the ``vocabulary`` does not have,
    an override that is a misspelt word of it or kind of override."""
    if item.outside_vocabulary:
        return []
    found = (
        ("concept", _concept_error(item, vocabulary)),
        ("override", _override_error(item, vocabulary, effort)),
    )
    return [FieldError(f"/forget/{i}/{field}", f"{message}; {AS_SPELT}") for field, message in found if message]


def _concept_error(item: Forget, vocabulary: Vocabulary | None) -> str | None:
    # A topic's name is a label: its keywords are what prompts are made of.
    if item.topic is not None or (vocabulary is not None and vocabulary.owner(item.concept) is not None):
        return None
    if item.words is None and (message := not_one_name(item.concept)) is not None:
        return message
    if vocabulary is None:
        return None
    meant = nearest(item.concept, _words(vocabulary))
    owner = vocabulary.owner(meant) if meant is not None else None
    suggested = f" (did you mean {owner.name!r}?)" if owner is not None else ""
    names = [concept.name for concepts in vocabulary.domains.values() for concept in concepts]
    return f"unknown concept {item.concept!r}{suggested}; known: {listed(names)}"


def _override_error(item: Forget, vocabulary: Vocabulary | None, effort: Effort) -> str | None:
    known = list(_words(vocabulary)) if vocabulary is not None else []
    if (message := keyword_meant(item.override, known)) is not None:
        return message
    if not isinstance(item.override, FixedOverride):
        return None
    text = item.override.concept
    effort.spend(COMPARED * len(known))
    meant = nearest(text, known, MISSPELT)
    if meant is None or mentions(text, [meant]):
        return None
    return f"unknown word {text!r} (did you mean {meant!r}?)"


def _words(vocabulary: Vocabulary) -> Iterator[str]:
    """Every word for every concept."""
    for concepts in vocabulary.domains.values():
        for concept in concepts:
            yield from concept.words
