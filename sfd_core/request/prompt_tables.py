"""Tables of prompts, as published lists come (ESD's, UCE's, MACE's, I2P): CSV with a header, or JSON lines. One column
is the prompts. Plain: does not import torch.

A table that was taken for lines of text would be asked for with its header, row numbers and seeds.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sfd_core.errors import PromptFileRefused
from sfd_core.suggestions import listed

PROMPT = "prompt"
"""The column that the published lists have."""
_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab"}
_NAME = re.compile(r"\w*")
_JSON_LINES = (".jsonl", ".ndjson")
_CSV = (".csv", ".tsv")


def prompts_in_table(text: str, suffix: str, column: str | None) -> list[tuple[int, str]] | None:
    """Read the prompts of a table, each with its line, those that come again with another seed once; None where
    ``text`` is no table. ``suffix``: of its file; ``column``: the name of the column, ``prompt`` by default.

    Raises:
        PromptFileRefused: for a table without that column, or rows that cannot be read, a line each.
    """
    wanted = column or PROMPT
    wrong: list[str] = []
    if suffix in _JSON_LINES or isinstance(_json(text.split("\n", 1)[0]), dict):
        rows = _json_lines(text, wanted, wrong)
    elif isinstance(_json(text), list | dict):
        raise PromptFileRefused("one JSON document: save it as JSON lines, an object with its prompt in each line")
    elif (delimiter := _delimiter(text, suffix, wanted)) is not None:
        rows = _csv(text, delimiter, wanted, wrong)
    else:
        return None
    first: dict[str, int] = {}
    for line, prompt in rows:
        first.setdefault(prompt, line)
    if wrong:
        raise PromptFileRefused("\n".join(wrong))
    return [(line, prompt) for prompt, line in first.items()]


def is_table(lines: Sequence[str]) -> bool:
    """Say whether ``lines`` are those of a table with a column of prompts."""
    if len(lines) < 2:
        return False
    return isinstance(_json(lines[0]), dict) or any(
        len(header := _header(lines[0], delimiter)) > 1 and _named(PROMPT, header) for delimiter in _DELIMITERS
    )


def _json(text: str) -> Any:
    """What ``text`` says, None where it is no JSON."""
    try:
        return json.loads(text) if text[:1] in ("{", "[") else None
    except (ValueError, RecursionError):
        return None


def _json_lines(text: str, wanted: str, wrong: list[str]) -> Iterator[tuple[int, str]]:
    name = None
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        row = _json(line.strip())
        if not isinstance(row, dict):
            wrong.append(f"line {number}: must be a JSON object, as the lines of such a file are")
            continue
        name = name or _found(wanted, list(row))
        if isinstance(prompt := row.get(name), str):
            yield number, prompt
        else:
            wrong.append(f"line {number}: its {name!r} must be text")


def _csv(text: str, delimiter: str, wanted: str, wrong: list[str]) -> Iterator[tuple[int, str]]:
    rows = _rows(text, delimiter)
    _, header = next(rows, (1, []))
    at = header.index(_found(wanted, header))
    for line, row in rows:
        if len(row) == len(header):
            yield line, row[at]
        else:
            message = f"has {len(row)} columns where the header has {len(header)}"
            wrong.append(f"line {line}: {message}: quote what holds {_DELIMITERS[delimiter]}")


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, each with the line that it begins in."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True)
    line = 1
    try:
        for row in reader:
            if row:
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise PromptFileRefused(f"line {line}: not readable as CSV: {error}") from None


def _delimiter(text: str, suffix: str, wanted: str) -> str | None:
    """What parts the columns; None where there seem to be none."""
    by_columns = {delimiter: _header(text, delimiter) for delimiter in _DELIMITERS}
    for delimiter, header in by_columns.items():
        if len(header) > 1 and (_named(wanted, header) or _is_regular(text, delimiter, header)):
            return delimiter
    if suffix in _CSV:
        return max(by_columns, key=lambda delimiter: len(by_columns[delimiter]))
    return None


def _header(text: str, delimiter: str) -> list[str]:
    try:
        return next(_rows(text, delimiter), (1, []))[1]
    except PromptFileRefused:
        return []


def _is_regular(text: str, delimiter: str, header: Sequence[str]) -> bool:
    """Whether the first line has names alone and every other line as many cells: prompts are seldom like that."""
    try:
        lengths = [len(row) for _, row in _rows(text, delimiter)]
    except PromptFileRefused:
        return False
    return len(lengths) > 1 and set(lengths) == {len(header)} and all(_NAME.fullmatch(name) for name in header)


def _named(wanted: str, columns: Iterable[str]) -> str | None:
    """The column that is called ``wanted``, in any case if none is exactly."""
    alike = [name for name in columns if name.strip().casefold() == wanted.strip().casefold()]
    return wanted if wanted in alike else next(iter(alike), None)


def _found(wanted: str, columns: Sequence[str]) -> str:
    if (name := _named(wanted, columns)) is None:
        has = listed([repr(column) for column in columns])
        message = f"a table without a column {wanted!r}; its columns: {has}. Name the one with the prompts"
        raise PromptFileRefused(f"line 1: {message} (--prompt-column)")
    return name
