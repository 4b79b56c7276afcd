"""The prompts of the bundled text-to-image model decide, to the byte, the weights of whatever is forgotten from it: a
change of the words that they are made of must be seen."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from sfd_core.base_model.vocabulary import EvaluationPrompts, load_vocabulary
from sfd_core.prompts.words import removed, replaced

VOCABULARY = load_vocabulary(Path(__file__).parents[3] / "models/emoji/vocabulary.json")
WORDS = [(concept, word) for concepts in VOCABULARY.domains.values() for concept in concepts for word in concept.words]


def digest(prompts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(prompts).encode()).hexdigest()[:16]


def test_what_the_model_can_be_asked_for() -> None:
    assert digest(VOCABULARY.prompts()) == "c8e3d6e2d01a21a4"


def test_what_neither_it_nor_a_job_is_trained_on() -> None:
    asked = (
        VOCABULARY.asked(template, named, {domain: word})
        for template in VOCABULARY.unseen_templates
        for domain, concepts in VOCABULARY.domains.items()
        for concept in concepts
        for word in concept.words
        for named in VOCABULARY.together_with(domain, concept)
    )
    assert digest(asked) == "5cb306dc8ff3ba61"


def test_how_an_evaluation_asks() -> None:
    asked = (
        prompt
        for domain, concepts in VOCABULARY.domains.items()
        for label in range(len(concepts))
        for prompt in EvaluationPrompts(VOCABULARY, domain).texts([label] * 60, range(60))
    )
    assert digest(asked) == "7391fbdf6253c58e"


def test_what_is_put_in_a_words_place() -> None:
    prompts = [(word, f"a {word}, two {word}s and the {word}") for _, word in WORDS]
    names = [concept.name for concepts in VOCABULARY.domains.values() for concept in concepts]
    assert digest(replaced(prompt, [word], by) for word, prompt in prompts for by in names) == "c942f8219de2464c"
    assert digest(removed(prompt, [word]) for word, prompt in prompts) == "b67be616d74e8cda"
