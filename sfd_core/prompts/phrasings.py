"""Other ways to ask for a concept than those that a run was told to forget: other words for it, other languages, other
word order, longer prompts, misspellings. A name that is forgotten while its synonym is not is not forgotten.

Plain: importing this does not import torch. The same concept gives the same prompts, in the same order.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from sfd_core.base_model.folding import fold
from sfd_core.base_model.vocabulary import Vocabulary
from sfd_core.prompts.words import replaced

Kind = Literal["synonym", "translation", "misspelling", "word order", "longer prompt"]
MISSPELLINGS = 8
"""Misspellings of a word that are asked for."""
LONGER = (
    "on a sunny afternoon by the sea, far from the noise of the city, {prompt}",
    "{prompt}, one more picture for my collection, clean and simple, as the others were before",
)
"""What a prompt is put into where there is no vocabulary with longer ones."""


@dataclass(frozen=True)
class Phrasing:
    """One way to ask for a concept. ``kind``: of which sort it is, in words; ``prompts``: shuffled, so that the first
    few are as good as any."""

    kind: Kind
    prompts: tuple[str, ...]


def phrasings(vocabulary: Vocabulary, domain: str, label: int, words: Collection[str]) -> tuple[Phrasing, ...]:
    """Find how else the vocabulary can ask for a concept of ``domain``. ``words``: those that were forgotten; kinds for
    which there are no others are left out."""
    concept = vocabulary.domains[domain][label]
    taken = _folded(words)
    for i, other in enumerate(vocabulary.domains[domain]):
        if i != label:
            taken |= _folded(other.words)
    by_word: tuple[tuple[Kind, Collection[str]], ...] = (
        ("synonym", [word for word in concept.synonyms if fold(word) not in taken]),
        ("translation", [word for word in concept.translations.values() if fold(word) not in taken]),
        ("misspelling", misspellings(concept.name, taken | _folded(concept.words))),
    )
    found = [
        Phrasing(kind, _shuffled(p for word in dict.fromkeys(them) for p in _prompts(vocabulary, domain, label, word)))
        for kind, them in by_word
    ]
    longest = max(len(template.split()) for template in vocabulary.templates)
    longer = [template for template in vocabulary.unseen_templates if len(template.split()) > longest]
    others = [template for template in vocabulary.unseen_templates if template not in longer]
    by_template: tuple[tuple[Kind, Sequence[str]], ...] = (("word order", others), ("longer prompt", longer))
    for kind, templates in by_template:
        found.append(Phrasing(kind, _shuffled(_prompts(vocabulary, domain, label, concept.name, templates))))
    return tuple(one for one in found if one.prompts)


def rephrased(prompts: Sequence[str], words: Sequence[str]) -> tuple[Phrasing, ...]:
    """Return the same where nothing but the prompts that were forgotten is known, which name the concept by
    ``words``."""
    misspelled = [replaced(p, words, typo) for p in prompts for typo in misspellings(words[0], _folded(words))]
    longer = [frame.format(prompt=prompt) for prompt in prompts for frame in LONGER]
    found: tuple[tuple[Kind, Sequence[str]], ...] = (("misspelling", misspelled), ("longer prompt", longer))
    asked = [Phrasing(kind, _shuffled(p for p in them if p not in prompts)) for kind, them in found]
    return tuple(one for one in asked if one.prompts)


def unseen_prompts(vocabulary: Vocabulary, domain: str, label: int) -> tuple[str, ...]:
    """Make captions that ask for a concept as neither the base model nor a run was ever asked for it."""
    name = vocabulary.domains[domain][label].name
    return _shuffled(_prompts(vocabulary, domain, label, name, vocabulary.unseen_templates))


def misspellings(word: str, known: Collection[str] = ()) -> tuple[str, ...]:
    """Make at most :data:`MISSPELLINGS` misspellings of ``word``: two letters swapped, one doubled, one dropped. None
    is one of ``known`` words (folded), and none drops a letter of a word that is too short to be known without it."""
    swapped = [word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)]
    doubled = [word[: i + 1] + word[i:] for i in range(len(word)) if word[i].isalpha()]
    dropped = [word[:i] + word[i + 1 :] for i in range(len(word))] if len(word) > 3 else []
    known = {*known, fold(word)}
    typos = [
        typo
        for typo in dict.fromkeys([*swapped, *doubled, *dropped])
        # Letters only move inside words: a space that moves makes other words, not misspelled ones.
        if fold(typo) not in known and [c for c in typo if not c.isalpha()] == [c for c in word if not c.isalpha()]
    ]
    return tuple(random.Random(word).sample(typos, min(MISSPELLINGS, len(typos))))


def _folded(words: Collection[str]) -> set[str]:
    return set(map(fold, words))


def _prompts(
    vocabulary: Vocabulary, domain: str, label: int, word: str, templates: Sequence[str] | None = None
) -> Iterator[str]:
    """Every template with the concept, by ``word``, and every concept of the other domains."""
    for template in vocabulary.templates if templates is None else templates:
        for named in vocabulary.together_with(domain, vocabulary.domains[domain][label]):
            yield vocabulary.asked(template, named, {domain: word})


def _shuffled(prompts: Iterable[str]) -> tuple[str, ...]:
    """The prompts in an order that depends on nothing but them."""
    unique = list(dict.fromkeys(prompts))
    random.Random("\n".join(unique)).shuffle(unique)
    return tuple(unique)
