"""One wording of an override, wherever it is shown."""

from __future__ import annotations

from typing import Any

import pytest

from sfd_core.display.numbers import FILTERS
from sfd_core.display.overrides import written_in_words

WORDS: list[tuple[Any, str]] = [
    ("Sandal", "Sandal"),
    ({"random": True}, "a random remaining concept"),
    ({"judge": True}, "what the judge finds nearest"),
    ({"prompts": ["a dog"]}, "“a dog”"),
    ({"prompts": ["a dog", "a cat"]}, "one of 2 other prompts"),
    ({"negative": "blood"}, "the prompt, guided away from “blood”"),
    ({"empty": True}, "the empty prompt"),
    (None, "not stated"),
    ({"dream": True}, '{"dream": true}'),
    ({"random": False}, '{"random": false}'),
]


@pytest.mark.parametrize(("raw", "words"), WORDS)
def test_each_kind_has_its_words(raw: Any, words: str) -> None:
    assert written_in_words(raw) == words
    assert FILTERS["override"](raw) == words
