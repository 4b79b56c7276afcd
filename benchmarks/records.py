"""Corrupted records and generators: how many are caught, by what was changed.

    python -m benchmarks.records

Makes one real run of a tiny model with a signed record, changes record, key and files in every way that
``tests/record/corpus*.py`` knows, and verifies each as ``lethe record verify`` does. "named": the mismatch that is
reported names what was changed. Then every byte of the envelope, one bit at a time, all eight of them.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import torch

from jobs.record import RecordMismatch, verify
from tests.record.case import Case, flipped, make_case
from tests.record.corpus import mutations
from tests.support.tiny_model import make_tiny_model


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="lethe-records-") as scratch:
        with contextlib.redirect_stdout(io.StringIO()):  # of the run, not of this table
            case = make_case(make_tiny_model(Path(scratch, "tiny")), Path(scratch, "run"))
        case.verify()
        print("the untouched record and its files: verified\n")
        print("| changed | corrupted | caught | named | for example |")
        print("| --- | --- | --- | --- | --- |")
        tried, caught, named = corpus(case, Path(scratch))
        print(f"| all | {tried} | {caught} | {named} | |\n")
        began = time.perf_counter()
        tried, caught = every_bit(case)
        seconds = time.perf_counter() - began
        print(f"every bit of the envelope, one at a time: {caught} of {tried} caught, in {seconds:.1f} s")


def corpus(case: Case, scratch: Path) -> tuple[int, int, int]:
    """Print a row a part. Returns how many were tried, caught and named."""
    tried: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    named: Counter[str] = Counter()
    examples: dict[str, str] = defaultdict(str)
    for i, mutation in enumerate(mutations(case)):
        changed = mutation.apply(case.copy(scratch / str(i) / "copy"))
        tried[mutation.part] += 1
        try:
            changed.verify()
        except RecordMismatch as mismatch:
            caught[mutation.part] += 1
            named[mutation.part] += mutation.names in mismatch.where or mutation.names in mismatch.what
            examples[mutation.part] = examples[mutation.part] or f"{mutation.what}: `{_short(str(mismatch))}`"
        else:
            print(f"NOT CAUGHT: {mutation.part}: {mutation.what}")
    for part, n in tried.items():
        print(f"| {part} | {n} | {caught[part]} | {named[part]} | {examples[part]} |")
    return tried.total(), caught.total(), named.total()


def every_bit(case: Case) -> tuple[int, int]:
    """How many single bits were turned over in the envelope, and how many of those were caught."""
    content = case.text.encode()
    caught = 0
    for i in range(len(content) * 8):
        try:
            verify(flipped(content, i // 8, i % 8).decode("latin-1"), case.keys)
        except RecordMismatch:
            caught += 1
    return len(content) * 8, caught


def _short(text: str, length: int = 110) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


if __name__ == "__main__":
    main()
