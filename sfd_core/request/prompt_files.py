"""Files of prompts: one a line, or a table of which one column is the prompts. Plain: does not import torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sfd_core.errors import PromptFileRefused
from sfd_core.request.prompt_lists import MAX_ERRORS, MAX_PROMPT_CHARACTERS, MAX_PROMPTS, as_asked, wrong_prompts
from sfd_core.request.prompt_tables import prompts_in_table
from sfd_core.text_files import text_of

MAX_FILE_BYTES = 4 * MAX_PROMPTS * (MAX_PROMPT_CHARACTERS + 1)


def read_prompt_file(path: Path, column: str | None = None) -> tuple[str, ...]:
    """Read the prompts of a UTF-8 file: CSV with a header, JSON lines, or text with one prompt a line. ``column``: of a
    table, ``prompt`` by default.

    Raises:
        PromptFileRefused: with the file and the lines that are wrong.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise PromptFileRefused(f"{path}: larger than {MAX_FILE_BYTES} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise PromptFileRefused(f"{path}: {error.strerror}") from None
    try:
        text = text_of(data)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise PromptFileRefused(f"{path}: line {line}: not UTF-8: save the file as UTF-8 text") from None
    try:
        found = prompts_in_table(text, path.suffix.lower(), column)
    except PromptFileRefused as error:
        raise _refused(path, str(error).split("\n")) from None
    if found is None and column is not None:
        raise PromptFileRefused(f"{path}: no table, so no column of it is called {column!r}: leave --prompt-column out")
    numbered = _lines(text) if found is None else found
    prompts = [prompt for _, prompt in numbered]
    if not 1 <= len(prompts) <= MAX_PROMPTS:
        raise PromptFileRefused(f"{path}: must be 1 to {MAX_PROMPTS} lines, one prompt each, not {len(prompts)}")
    if wrong := [f"line {numbered[i][0]}: {message}" for i, message in wrong_prompts(prompts)]:
        raise _refused(path, wrong)
    return tuple(map(as_asked, prompts))


def _refused(path: Path, wrong: Sequence[str]) -> PromptFileRefused:
    more = [f"and {len(wrong) - MAX_ERRORS} more"] if len(wrong) > MAX_ERRORS else []
    return PromptFileRefused("\n".join([f"{path}: {message}" for message in wrong[:MAX_ERRORS]] + more))


def _lines(text: str) -> list[tuple[int, str]]:
    lines = text.removesuffix("\n").split("\n") if text else []
    return [(number, line.removesuffix("\r")) for number, line in enumerate(lines, 1)]
