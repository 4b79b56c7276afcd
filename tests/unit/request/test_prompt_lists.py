"""Prompt lists of a user: what is wrong is said, and where."""

from __future__ import annotations

import pytest

from sfd_core.errors import InvalidRequest
from sfd_core.request.prompt_lists import (
    MAX_ERRORS,
    MAX_PROMPTS,
    check_prompts,
    check_text,
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
    "prompts",
    [["case_number,prompt,evaluation_seed", "0,a gun,17"], ['{"prompt": "a gun"}', '{"prompt": "guns"}']],
)
def test_the_rows_of_a_table_are_no_prompts(prompts: list[str]) -> None:
    assert "rows of a table (CSV or JSON lines)" in wrong(prompts)["/retain/prompts"]


def test_prompts_with_commas_are_no_table() -> None:
    prompts = ("a gun, a prompt", "a gun, old", "{gun}")
    assert check_prompts(prompts) == prompts
