"""Whether a request's names are those that a text-to-image model knows, or are meant as they are spelt. Plain.

A model with a vocabulary can be asked for anything else too, so that a misspelt name would train in full while the
concept that was meant is retained. So what the vocabulary does not have must be asked for as that:
``outside_vocabulary``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

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


def by_plain_name(item: Forget, vocabulary: Vocabulary | None) -> Forget:
    """Return ``item`` by its plain name where it is written with its domain (``style:noto``), else as it is."""
    if vocabulary is None or (said := _with_domain(item.concept, vocabulary)) is None:
        return item
    domain, name = said
    return replace(item, concept=name) if (at := vocabulary.find(name)) is not None and at[0] == domain else item


def _with_domain(concept: str, vocabulary: Vocabulary) -> tuple[str, str] | None:
    """The domain and the name that ``concept`` is written with; None where nothing before a colon is a domain."""
    domain, colon, name = concept.partition(":")
    return (domain, name.strip()) if colon and domain in vocabulary.domains else None


def _elsewhere(domain: str, name: str, vocabulary: Vocabulary) -> str:
    """What is said of a name that its ``domain`` does not have."""
    names = [concept.name for concept in vocabulary.domains[domain]]
    if (at := vocabulary.find(name)) is not None:
        meant = f" (did you mean '{at[0]}:{name}'?)"
    else:
        meant = f" (did you mean '{domain}:{near}'?)" if (near := nearest(name, names)) is not None else ""
    return f"the domain {domain!r} has no concept {name!r}{meant}; it has: {listed(names)}"


def _concept_error(item: Forget, vocabulary: Vocabulary | None) -> str | None:
    # A topic's name is a label: its keywords are what prompts are made of.
    if item.topic is not None or (vocabulary is not None and vocabulary.owner(item.concept) is not None):
        return None
    if item.words is None and (message := not_one_name(item.concept)) is not None:
        return message
    if vocabulary is None:
        return None
    if (said := _with_domain(item.concept, vocabulary)) is not None:
        return _elsewhere(*said, vocabulary)
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
