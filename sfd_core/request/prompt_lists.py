"""Prompt lists that a user gives, in a request or in a file. Plain: does not import torch."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from sfd_core.errors import FieldError, InvalidRequest
from sfd_core.request.prompt_tables import is_table
from sfd_core.request.reading import MAX_ITEMS, Text

MAX_PROMPTS = MAX_ITEMS
MAX_WORDS = 1000
MAX_PROMPT_CHARACTERS = 1000
MAX_ERRORS = 20
"""A list that is wrong throughout (another file's) is not told line by line."""


def check_prompts(prompts: Sequence[str], pointer: str = "") -> tuple[str, ...]:
    """Check ``prompts`` and return them as they are asked: composed letters (NFC), no white space around.

    Raises:
        InvalidRequest: none or too many, the rows of a table, or one that is empty, too long, there twice or holds a
            control character; each with its own pointer.
    """
    if not 1 <= len(prompts) <= MAX_PROMPTS:
        raise InvalidRequest((FieldError(pointer, f"must be 1 to {MAX_PROMPTS} prompts, not {len(prompts)}"),))
    if is_table(prompts):
        message = "are the rows of a table (CSV or JSON lines): give its prompts alone"
        raise InvalidRequest((FieldError(pointer, message),))
    wrong = [FieldError(f"{pointer}/{i}", message) for i, message in wrong_prompts(prompts)]
    if wrong:
        raise InvalidRequest(tuple(wrong[:MAX_ERRORS]))
    return tuple(map(as_asked, prompts))


def check_text(text: str, pointer: str = "") -> str:
    """Check a single text in the same way: a word, a replacement, a negative prompt.

    Raises:
        InvalidRequest: naming what is wrong with it.
    """
    asked = as_asked(text)
    if message := _wrong_text(asked):
        raise InvalidRequest((FieldError(pointer, message),))
    return asked


_ONE = WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_PROMPT_CHARACTERS})
OnePrompt = Annotated[Text, AfterValidator(check_text), _ONE]
"""A prompt, or words of one. As it is asked, once it is read; so are the lists."""
Prompts = Annotated[
    tuple[Annotated[Text, _ONE], ...], Field(min_length=1, max_length=MAX_PROMPTS), AfterValidator(check_prompts)
]
Words = Annotated[
    tuple[Annotated[Text, _ONE], ...], Field(min_length=1, max_length=MAX_WORDS), AfterValidator(check_prompts)
]


def as_asked(prompt: str) -> str:
    """Return ``prompt`` with composed letters (NFC) and no white space around."""
    return unicodedata.normalize("NFC", prompt).strip()


def _wrong_text(text: str) -> str | None:
    if not any(character.isalnum() for character in text):
        return "is empty, or has neither a letter nor a digit"
    if len(text) > MAX_PROMPT_CHARACTERS:
        return f"has {len(text)} characters; at most {MAX_PROMPT_CHARACTERS} are read"
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        return "holds a control character (a tab, a line end) or half a surrogate pair"
    return None


def wrong_prompts(prompts: Sequence[str]) -> list[tuple[int, str]]:
    """Find which of ``prompts`` are wrong, by number, and how."""
    first: dict[str, int] = {}
    found = []
    for i, prompt in enumerate(prompts):
        asked = as_asked(prompt)
        if message := _wrong_text(asked):
            found.append((i, message))
        elif asked in first:
            found.append((i, f"the same as number {first[asked] + 1}"))
        first.setdefault(asked, i)
    return found
