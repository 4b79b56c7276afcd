"""Other ways to ask for a concept: which there are, and that none of them is what was forgotten or means another."""

from __future__ import annotations

import re

import pytest

from sfd_core.base_model.vocabulary import Concept, Vocabulary
from sfd_core.prompts.phrasings import MISSPELLINGS, misspellings, phrasings, rephrased, unseen_prompts

OBJECTS = (
    Concept("pistol", "green", ("gun", "handgun"), {"fr": "pistolet", "de": "pistole"}),
    Concept("apple", "red", (), {"fr": "pomme", "de": "apfel"}),
    Concept("pot", "old", ("gun",), {}),
)
STYLES = (Concept("noto", "", ("google",)), Concept("fluent", "", ("microsoft",)))
VOCABULARY = Vocabulary(
    {"object": OBJECTS, "style": STYLES},
    ("{a} {adjective} {object}, in the style of {style}", "{object}, {style} style"),
    ("{style} drew the {object} here", "on a sunny afternoon by the sea, {a} small {object}, in the style of {style}"),
)


def by_kind(domain: str, label: int, words: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {one.kind: one.prompts for one in phrasings(VOCABULARY, domain, label, words)}


def test_every_kind_asks_with_every_concept_of_the_other_domains() -> None:
    found = by_kind("object", 0, ("pistol",))
    assert set(found) == {"synonym", "translation", "misspelling", "word order", "longer prompt"}
    assert set(found["synonym"]) == {
        "a green handgun, in the style of noto",
        "a green handgun, in the style of fluent",
        "handgun, noto style",
        "handgun, fluent style",
    }, "“gun” also means a pot here, so it would ask for both"
    assert len(found["translation"]) == 2 * 2 * 2
    assert set(found["word order"]) == {"noto drew the pistol here", "fluent drew the pistol here"}
    assert len(found["longer prompt"]) == 2
    assert all("a small pistol" in prompt for prompt in found["longer prompt"])


def test_forgotten_words_are_left_out_and_with_them_kinds_that_have_none_left() -> None:
    found = by_kind("object", 0, ("Pistol", "handgun", "Pistole"))
    assert "synonym" not in found
    assert all("pistolet" in prompt for prompt in found["translation"])


def test_a_style_is_asked_for_by_its_other_names_with_every_object() -> None:
    found = by_kind("style", 0, ("noto",))
    assert len(found["synonym"]) == 2 * 3
    assert all("google" in prompt and "noto" not in prompt for prompt in found["synonym"])
    assert "a red apple, in the style of google" in found["synonym"]


def test_the_first_few_are_mixed_and_the_same_every_time() -> None:
    first = by_kind("style", 0, ("noto",))["synonym"][:3]
    assert first == (
        "a green pistol, in the style of google",
        "a red apple, in the style of google",
        "pot, google style",
    )


@pytest.mark.parametrize("word", ["pistol", "Brad Pitt", "fox", "soccer ball", "löwe"])
def test_misspellings_are_near_and_no_word_that_is_known(word: str) -> None:
    typos = misspellings(word, {"pistols"})
    assert 0 < len(typos) <= MISSPELLINGS
    assert len(set(typos)) == len(typos)
    for typo in typos:
        assert typo.casefold() not in {word.casefold(), "pistols"}
        assert abs(len(typo) - len(word)) <= 1
        assert typo.count(" ") == word.count(" ")


def test_short_words_keep_their_letters() -> None:
    assert all(len(typo) >= 3 for typo in misspellings("fox"))
    assert misspellings("a", ()) == ("aa",)


def test_a_misspelling_that_is_another_word_is_none() -> None:
    assert "form" in misspellings("from"), "or the next line says nothing"
    assert "form" not in misspellings("from", {"form"})


def test_prompts_of_which_only_the_words_are_known_are_misspelled_and_made_longer() -> None:
    prompts = ["a photo of a gun", "guns on a table"]
    found = {one.kind: one.prompts for one in rephrased(prompts, ["gun"])}
    assert set(found) == {"misspelling", "longer prompt"}
    assert not set(prompts) & set(found["misspelling"])
    assert not any(re.search(r"\bguns?\b", prompt) for prompt in found["misspelling"])
    assert all(any(prompt in longer for prompt in prompts) for longer in found["longer prompt"])


def test_prompts_that_do_not_name_the_words_cannot_be_misspelled() -> None:
    assert [one.kind for one in rephrased(["a naked man"], ["nudity"])] == ["longer prompt"]


def test_unseen_captions_name_the_concept() -> None:
    prompts = unseen_prompts(VOCABULARY, "object", 1)
    assert len(prompts) == 4
    assert all("apple" in prompt for prompt in prompts)
    assert not unseen_prompts(Vocabulary(VOCABULARY.domains, VOCABULARY.templates, ()), "object", 1)
