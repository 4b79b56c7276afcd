"""Texts that are the same to a reader are the same to a search, and the place of each letter is known."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sfd_core.base_model.folding import fold, folded


@pytest.mark.parametrize(
    ("text", "compares_as"),
    [
        ("Beyoncé", "beyonce"),
        ("BEYONCE\u0301", "beyonce"),
        ("Ёлка", "елка"),
        ("Ærøskøbing, Łódź", "aeroskobing, lodz"),
        ("İstanbul, ısı", "istanbul, isi"),
        ("Fußball", "fussball"),
        ("ﬁreﬂy", "firefly"),
        ("ｇｕｎ", "gun"),
        ("𝓰𝓾𝓷 ⓖⓤⓝ", "gun gun"),
        ("ｶﾞｿﾘﾝ", "ガソリン"),
        ("g\u200bu\u00adn\ufe0f\ufeff", "gun"),
        ("O’Brien, O`Brien, Oʼbrien", "o'brien, o'brien, o'brien"),
        ("brad\u00a0pitt", "brad pitt"),
        ("a gun—or", "a gun-or"),
        ("שָׁלוֹם", "שלום"),
        ("J.M.W. Turner", "jmw turner"),
        ("J. M. W. Turner", "jmw turner"),
        ("J.M.W Turner", "jmw turner"),
        ("J.M.W.Turner", "jmw turner"),
        ("a J. M. W. Turner", "a jmw turner"),
        ("Samuel L. Jackson", "samuel l jackson"),
        ("Dr. Dre, St. Basil", "dr dre, st basil"),
    ],
)
def test_what_looks_the_same_compares_the_same(text: str, compares_as: str) -> None:
    assert fold(text) == compares_as


@pytest.mark.parametrize(
    "text",
    ["мой", "їжа", "が", "총", "हिन्दी", "ปืน", "gun™", "will.i.am", "node.js", "3.5 mm", "the end. a gun", "brad, pitt"],
)
def test_what_differs_stays_as_it_is(text: str) -> None:
    assert fold(text) == text


@pytest.mark.parametrize(
    ("text", "word", "stands_as"),
    [
        ("a Beyoncé, please", "beyonce", "Beyoncé"),
        ("x BEYONCE\u0301!", "beyonce", "BEYONCE\u0301"),
        ("a ﬁre", "fire", "ﬁre"),
        ("a g\u200bun\u200b here", "gun", "g\u200bun\u200b"),
        ("by J. M. W. Turner.", "jmw turner", "J. M. W. Turner"),
        ("in the U.S.A. today", "usa", "U.S.A."),
        ("by Malcolm X.", "x", "X"),
        ("ein Fußball", "fussball", "Fußball"),
    ],
)
def test_a_match_has_its_place_in_the_original(text: str, word: str, stands_as: str) -> None:
    found = folded(text)
    match = re.search(rf"\b{word}\b", found.text)
    assert match is not None
    start, end = found.place(match)
    assert text[start:end] == stands_as


@given(st.text())
def test_places_are_in_order_and_within(text: str) -> None:
    found = folded(text)
    assert len(found.text) == len(found.starts) == len(found.ends)
    assert list(found.starts) == sorted(found.starts)
    assert all(0 <= start < end <= len(text) for start, end in zip(found.starts, found.ends, strict=True))
