"""Tables and lists of names in a benchmark's data folder. Plain: does not import torch."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from sfd_core.suggestions import unknown
from sfd_core.text_files import text_of

MAX_FAULTS = 20
"""Faults of one table that are told; more are counted."""
MAX_SEED = 2**63 - 1
"""The largest seed that torch's generators take."""


def read_text(path: Path, faults: list[str]) -> str | None:
    """Return a file's text; None where there is none, which is a fault unless it is told elsewhere that it lacks."""
    if not path.exists():
        return None
    try:
        return text_of(path.read_bytes())
    except OSError as error:
        faults.append(f"{path}: cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        faults.append(f"{path}: is not UTF-8")
    return None


def read_names(path: Path, faults: list[str]) -> tuple[str, ...]:
    """Read names, one a line; blank lines say nothing."""
    names = [line.strip() for line in (read_text(path, faults) or "").splitlines() if line.strip()]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        faults.append(f"{path}: names twice: {', '.join(twice)}")
    if path.exists() and not names:
        faults.append(f"{path}: names nothing; one name a line is expected")
    return tuple(names)


def read_table(path: Path, columns: Collection[str], faults: list[str]) -> Sequence[Mapping[str, str]]:
    """Read a CSV file with a line of column names, which must have ``columns``; others are not looked at."""
    if (text := read_text(path, faults)) is None:
        return []
    try:
        lines = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        lacks = [name for name in columns if name not in (lines.fieldnames or ())]
        if lacks:
            faults.append(f"{path}: its first line lacks the columns {', '.join(lacks)}")
            return []
        rows = list(lines)
    except csv.Error as error:
        faults.append(f"{path}: is no CSV: {error}")
        return []
    short = [i for i, row in enumerate(rows, 2) if any(row[name] is None for name in columns)]
    if short:
        faults.append(f"{path}: rows that are too short: {_some(short)}")
        return []
    if blank := [i for i, row in enumerate(rows, 2) if "prompt" in columns and not row["prompt"].strip()]:
        faults.append(f"{path}: rows without a prompt: {_some(blank)}")
    return rows


def whole(path: Path, rows: Sequence[Mapping[str, str]], column: str, faults: list[str]) -> list[int]:
    """Return a column of whole numbers that are seeds; 0 for one that is wrong."""
    return [int(value) for value in _numbers(path, rows, column, faults, whole=True)]


def numbers(path: Path, rows: Sequence[Mapping[str, str]], column: str, faults: list[str]) -> list[float]:
    """Return a column of numbers from 0; 0 for one that is wrong."""
    return _numbers(path, rows, column, faults, whole=False)


def known_names(names: Sequence[str], known: Collection[str], kind: str, faults: list[str]) -> None:
    """Add a fault for each of ``names`` that is not ``known``."""
    faults.extend(unknown(kind, name, known) for name in names if known and name not in known)


def _numbers(path: Path, rows: Sequence[Mapping[str, str]], column: str, faults: list[str], whole: bool) -> list[float]:
    found: list[float] = []
    wrong: list[int] = []
    for i, row in enumerate(rows, 2):
        try:
            value = int(row[column]) if whole else float(row[column])
        except ValueError:
            value = -1
        if not (0 <= value <= MAX_SEED and math.isfinite(value)):
            wrong.append(i)
            value = 0
        found.append(value)
    if wrong:
        must = "a whole number from 0" if whole else "a number from 0"
        faults.append(f"{path}: {column} must be {must}, and is not in rows {_some(wrong)}")
    return found


def _some(rows: Sequence[int]) -> str:
    more = f" and {len(rows) - MAX_FAULTS} more" if len(rows) > MAX_FAULTS else ""
    return ", ".join(map(str, rows[:MAX_FAULTS])) + more
