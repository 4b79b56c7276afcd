"""Words in prompts: found, replaced and taken out by one rule, so that no two of the three disagree."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sfd_core.base_model.inflection import article, plural
from sfd_core.prompts.words import mentions, removed, replaced


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        ("a photo of a gun", "gun"),
        ("GUNS on a table", "gun"),
        ("a gun's barrel", "gun"),
        ("the guns’ barrels", "gun"),
        ("gun, studio light", "gun"),
        ("(gun:1.3)", "gun"),
        ("red_gun_pixel_art", "gun"),
        ("one gun", "guns"),
        ("three ladies", "lady"),
        ("a lady", "ladies"),
        ("two knives", "knife"),
        ("a knife", "knives"),
        ("many wolves", "wolf"),
        ("four foxes", "fox"),
        ("potatoes", "potato"),
        ("a photo", "photos"),
        ("two policemen", "policeman"),
        ("children", "child"),
        ("Brad  Pitt smiling", "brad pitt"),
        ("brad-pitt", "Brad Pitt"),
        ("brad_pitt", "brad pitt"),
        ("Brad\nPitt", "brad pitt"),
        ("a Rubik’s cube", "rubik's cube"),
        ("pasteque: une past\u0065\u0300que", "pastèque"),
        ("un löwe", "lo\u0308we"),
        ("ein FUSSBALL", "fußball"),
        ("一把手枪的照片", "手枪"),
        ("фото ПИСТОЛЕТ", "пистолет"),
        ("c++ code", "c++"),
        ("a portrait of Beyonce", "Beyoncé"),
        ("a portrait of Beyoncé", "beyonce"),
        ("BEYONCE\u0301 on stage", "beyoncé"),
        ("a Salvador Dalí painting", "salvador dali"),
        ("a painting by J. M. W. Turner", "J.M.W. Turner"),
        ("a painting by J.M.W. Turner", "J. M. W. Turner"),
        ("a painting by JMW Turner", "J.M.W. Turner"),
        ("a J M W Turner", "J.M.W. Turner"),
        ("a painting by J.M.W. Turner", "J M W Turner"),
        ("a painting by J. M. W. Turner", "jmw turner"),
        ("a painting by J M W Turner", "JMW Turner"),
        ("Samuel L Jackson", "Samuel L. Jackson"),
        ("Samuel L. Jackson", "samuel l jackson"),
        ("Robert Downey Jr smiling", "Robert Downey Jr."),
        ("Robert Downey Jr. smiling", "Robert Downey Jr"),
        ("Dr Dre", "Dr. Dre"),
        ("two ｇｕｎｓ", "gun"),
        ("two knives", "ｋｎｉｆｅ"),
        ("a g\u200bu\u00adn", "gun"),
        ("a gun", "g\u200bun"),
        ("\ufeffgun", "gun"),
        ("brad\u00a0pitt", "brad pitt"),
        ("Brad–Pitt", "brad pitt"),
        ("Rubik's cube", "rubik’s cube"),
        ("Fussball", "fußball"),
        ("a ﬁrearm", "firearm"),
        ("Pelé", "PELE"),
        ("Łódź", "lodz"),
        ("a résumé on a desk", "resume"),
    ],
)
def test_a_word_is_there(prompt: str, word: str) -> None:
    assert mentions(prompt, [word])
    assert not mentions(removed(prompt, [word]), [word])
    assert not mentions(replaced(prompt, [word], "teapot"), [word])


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        ("gunmetal grey", "gun"),
        ("a shotgun", "gun"),
        ("gun2", "gun"),
        ("a pineapple", "apple"),
        ("brad, pitt", "brad pitt"),
        ("bradpitt", "brad pitt"),
        ("the latest new", "news"),
        ("a bu", "bus"),
        ("the capital of pari", "paris"),
        ("a car", "cat"),
        ("", "cat"),
        ("they resumed, I presume", "résumé"),
        ("a gun\u200bmetal box", "gun"),
        ("a ﬁrearm", "fire"),
        ("a red gun. Metal plates", "gun metal"),
        ("j, m, w, turner", "J.M.W. Turner"),
        ("Turner", "J.M.W. Turner"),
        ("a bowl of things", "a. b."),
        ("мои вещи", "мой"),
        ("か", "が"),
        ("초", "총"),
        ("gun²", "gun"),
    ],
)
def test_a_word_is_not_there_and_nothing_changes(prompt: str, word: str) -> None:
    assert not mentions(prompt, [word])
    assert removed(prompt, [word]) == prompt
    assert replaced(prompt, [word], "teapot") == prompt


def test_without_words_nothing_is_there() -> None:
    assert not mentions("a gun", [])
    assert removed("a gun", []) == replaced("a gun", [], "teapot") == "a gun"


@pytest.mark.parametrize(
    ("prompt", "words", "by", "becomes"),
    [
        ("a pistol on a table", ["pistol"], "apple", "an apple on a table"),
        ("An apple, please", ["apple"], "pistol", "A pistol, please"),
        ("the pistol", ["pistol"], "apple", "the apple"),
        ("a green pistol", ["pistol"], "apple", "a green apple"),
        ("two guns and a knife", ["gun", "knife"], "banana", "two bananas and a banana"),
        ("guns", ["gun", "guns"], "banana", "bananas"),
        ("many grapes", ["grapes"], "apple", "many apple"),
        ("a photo of Brad Pitt", ["brad pitt"], "a middle aged man", "a photo of a middle aged man"),
        ("the famous Brad Pitt's hat", ["brad pitt"], "a middle aged man", "the famous a middle aged man's hat"),
        ("a brad pitt statue", ["brad pitt"], "a middle aged man", "a middle aged man statue"),
        ("the brad pitt", ["brad pitt"], "a middle aged man", "the middle aged man"),
        ("a brad pitt", ["brad pitt"], "an old man", "an old man"),
        ("soccer ball", ["ball", "soccer ball"], "cube", "cube"),
        ("a hour glass", ["glass"], "sundial", "a hour sundial"),
        ("Mrs. Beyoncé, on stage", ["beyonce"], "a singer", "Mrs. a singer, on stage"),
        ("a J. M. W. Turner, framed", ["J.M.W. Turner"], "old map", "an old map, framed"),
        ("a g\u200bun\u200b, please", ["gun"], "apple", "an apple, please"),
        ("two ｇｕｎｓ", ["gun"], "banana", "two bananas"),
        ("ein Fußball im Gras", ["fussball"], "Hut", "ein Hut im Gras"),
        ("naïve Beyoncé’s hat", ["Beyonce"], "Ann", "naïve Ann’s hat"),
    ],
)
def test_replacing_minds_number_and_article(prompt: str, words: list[str], by: str, becomes: str) -> None:
    assert replaced(prompt, words, by) == becomes


@pytest.mark.parametrize(
    ("prompt", "words", "becomes"),
    [
        ("a photo of a gun", ["gun"], "a photo"),
        ("a gun", ["gun"], ""),
        ("guns.", ["gun"], ""),
        ("a man with a gun in the rain", ["gun"], "a man with in the rain"),
        ("gun, noto style", ["gun"], "noto style"),
        ("a portrait, gun, old", ["gun"], "a portrait, old"),
        ("Brad Pitt's hat", ["brad pitt"], "hat"),
        ("a woman, nude", ["nude", "naked"], "a woman"),
        ("new new york york", ["new york"], ""),
        ("in the style of noto", ["noto"], "in the style"),
        ("look at my guns!", ["gun"], "look!"),
        ("a photo of Beyoncé’s café", ["beyonce"], "a photo of café"),
        ("a storm, by J. M. W. Turner", ["J.M.W. Turner"], "a storm"),
    ],
)
def test_removing_leaves_nothing_dangling(prompt: str, words: list[str], becomes: str) -> None:
    assert removed(prompt, words) == becomes


@pytest.mark.parametrize(
    ("word", "of_it"),
    [("apple", "an"), ("Owl", "an"), ("unicorn", "a"), ("uninspired cat", "an"), ("hour", "an"), ("house", "a"),
     ("one-eyed cat", "a"), ("European", "a"), ("eule", "an"), ("", "a")],
)  # fmt: skip
def test_the_article_of_a_word(word: str, of_it: str) -> None:
    assert article(word) == of_it


@pytest.mark.parametrize(
    ("word", "many"),
    [
        ("gun", "guns"),
        ("Lady", "Ladies"),
        ("day", "days"),
        ("fox", "foxes"),
        ("knife", "knives"),
        ("giraffe", "giraffes"),
        ("wolf", "wolves"),
        ("chef", "chefs"),
        ("woman", "women"),
        ("fireman", "firemen"),
        ("human", "humans"),
        ("soccer ball", "soccer balls"),
        ("old man", "old men"),
    ],
)
def test_plurals(word: str, many: str) -> None:
    assert plural(word) == many


ALPHABET = "abcdefgkmnorstuvy ABS'’-_,.ß枪éе\u200bｇ"
prompts = st.text(ALPHABET, max_size=40)
a_word = st.text("abcdefgnosuyß枪é", min_size=1, max_size=5)
some_words = st.lists(st.lists(a_word, min_size=1, max_size=2).map(" ".join), min_size=1, max_size=3)


@given(prompts, some_words)
def test_what_was_removed_is_not_there(prompt: str, words: list[str]) -> None:
    assert not mentions(removed(prompt, words), words)


@given(prompts, some_words, a_word)
def test_what_is_not_there_changes_nothing(prompt: str, words: list[str], by: str) -> None:
    assume(not mentions(prompt, words))
    assert removed(prompt, words) == replaced(prompt, words, by) == unicodedata.normalize("NFC", prompt)


@given(prompts, some_words)
def test_what_is_there_is_replaced_by_what_was_said(prompt: str, words: list[str]) -> None:
    """A replacement of letters that no word has cannot make one of them."""
    changed = replaced(prompt, words, "zq")
    assert mentions(prompt, words) == mentions(changed, ["zq"])
    assert not mentions(changed, words)


@given(prompts, a_word, prompts)
def test_a_word_between_spaces_is_there_in_both_numbers(before: str, word: str, after: str) -> None:
    assert mentions(f"{before} {word} {after}", [word])
    assert mentions(f"{before} {plural(word)} {after}", [word])
    assert mentions(f"{before} {word.upper()} {after}", [word]) or word.upper().lower() != word


@given(prompts, st.lists(a_word, min_size=2, max_size=6))
def test_many_words_are_found_as_each_alone(prompt: str, words: list[str]) -> None:
    assert mentions(prompt, words) == any(mentions(prompt, [word]) for word in words)
