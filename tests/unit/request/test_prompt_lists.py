"""Prompt lists of a user: what is wrong is said, and in which line."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfd_core.errors import InvalidRequest, PromptFileRefused
from sfd_core.request.prompt_lists import (
    MAX_ERRORS,
    MAX_FILE_BYTES,
    MAX_PROMPTS,
    check_prompts,
    check_text,
    read_prompt_file,
)


def wrong(prompts: list[str]) -> dict[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        check_prompts(prompts, "/retain/prompts")
    return {error.pointer: error.message for error in caught.value.errors}


def test_prompts_are_composed_and_stripped() -> None:
    assert check_prompts([" a gun ", "cafe\u0301"], "/p") == ("a gun", "café")


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("...", "neither a letter nor a digit"),
        ("x" * 1001, "has 1001 characters; at most 1000"),
        ("a\tgun", "control character"),
        ("a\ngun", "control character"),
        ("a\0gun", "control character"),
        ("a\ud800gun", "surrogate"),
        ("first", "the same as number 1"),
        (" first", "the same as number 1"),
    ],
)
def test_a_wrong_prompt_is_pointed_at(prompt: str, says: str) -> None:
    assert says in wrong(["first", prompt])["/retain/prompts/1"]


def test_the_longest_prompt_and_the_longest_list_are_taken() -> None:
    assert check_prompts(["x" * 1000], "/p") == ("x" * 1000,)
    assert len(check_prompts([f"prompt {i}" for i in range(MAX_PROMPTS)], "/p")) == MAX_PROMPTS


def test_none_and_too_many_are_refused() -> None:
    assert "1 to 10000 prompts, not 0" in wrong([])["/retain/prompts"]
    assert "not 10001" in wrong([f"prompt {i}" for i in range(MAX_PROMPTS + 1)])["/retain/prompts"]


def test_a_list_that_is_wrong_throughout_is_not_told_whole() -> None:
    assert len(wrong([""] * 100)) == MAX_ERRORS


def test_a_single_text_has_its_own_pointer() -> None:
    assert check_text(" a gun", "/forget/0/override") == "a gun"
    with pytest.raises(InvalidRequest) as caught:
        check_text("", "/forget/0/override")
    assert [error.pointer for error in caught.value.errors] == ["/forget/0/override"]


@pytest.mark.parametrize(
    "content",
    [b"a gun\nguns\n", b"a gun\nguns", b"a gun\r\nguns\r\n", b"\xef\xbb\xbfa gun\nguns\n"],
)
def test_a_file_is_read_however_it_was_saved(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes(content)
    assert read_prompt_file(path) == ("a gun", "guns")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "must be 1 to 10000 lines"),
        (b"a gun\n\nguns\n", "line 2: is empty"),
        (b"a gun\nguns\na gun\n", "line 3: the same as number 1"),
        (b"a gun\na \xe9toile\n", "line 2: not UTF-8"),
        (b"\xff\xfea\x00", "line 1: not UTF-8"),
        (b"a\tgun\n", "line 1: holds a control character"),
        (b"a\x0cgun\n", "line 1: holds a control character"),
        ("".join(f"{i}\n" for i in range(MAX_PROMPTS + 1)).encode(), "not 10001"),
        (b"\n" * 30, "and 10 more"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "prompts.txt"
    path.write_bytes(content)
    with pytest.raises(PromptFileRefused) as caught:
        read_prompt_file(path)
    assert says in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_or_too_large(tmp_path: Path) -> None:
    with pytest.raises(PromptFileRefused, match="No such file"):
        read_prompt_file(tmp_path / "none.txt")
    huge = tmp_path / "huge.txt"
    with huge.open("wb") as stream:
        stream.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(PromptFileRefused, match="larger than"):
        read_prompt_file(huge)
