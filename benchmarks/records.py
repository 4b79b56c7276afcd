"""Corrupted records and generators: how many are caught, by what was changed.

    python -m benchmarks.records

Makes one real run of a tiny model with a signed record, changes record, key and files in every way that
``tests/record/corpus*.py`` knows, and verifies each as ``lethe record verify`` does. "named": the mismatch that is
reported names what was changed. Then every byte of the envelope, one bit at a time, all eight of them.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from collections import Counter, defaultdict
from itertools import islice
from pathlib import Path

import torch

from benchmarks.shared.command import OUT, Command, Option
from benchmarks.shared.page import page, table, write
from jobs.record import RecordMismatch, verify
from tests.record.case import Case, flipped, make_case
from tests.record.corpus import mutations
from tests.support.tiny_model import make_tiny_model

COMMAND = Command(
    "records",
    __doc__,
    Option("--every", 1, "changes of the corpus: 2 leaves out every second", quick=20),
    Option("--every-bit", 1, "bits of the envelope: 2 leaves out every second", quick=100),
    OUT,
)


def run(arguments: argparse.Namespace) -> str:
    """Corrupt and verify. Exits with 1 if anything was not caught."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="lethe-records-") as scratch:
        with contextlib.redirect_stdout(io.StringIO()):  # of the run, not of this table
            case = make_case(make_tiny_model(Path(scratch, "tiny")), Path(scratch, "run"))
        case.verify()
        rows = corpus(case, Path(scratch), arguments.every)
        began = time.perf_counter()
        bits, found = every_bit(case, arguments.every_bit)
        seconds = time.perf_counter() - began
    tried, caught, named = (sum(column) for column in zip(*(row[1:4] for row in rows), strict=True))
    figure = f"{caught} of {tried} changes and {found} of {bits} single bits caught"
    text = page(
        "Corrupted records",
        "One real run of a tiny model with a signed record, then its record, its key and its files changed in every "
        'way that `tests/record/corpus*.py` knows, and each verified as `lethe record verify` does. "named": the '
        "mismatch that is reported names the file or the part of the envelope that was changed. The number of changed "
        "fields follows the report's.",
        "The untouched record and its files: verified.",
        table(("changed", "corrupted", "caught", "named", "for example"), [*rows, ("all", tried, caught, named, "")]),
        f"Every bit of the envelope, one at a time: {found} of {bits} caught, in {seconds:.1f} s.",
    )
    write(arguments.out, "records.md", text)
    if (caught, found) != (tried, bits):
        raise SystemExit(1)
    return figure


def corpus(case: Case, scratch: Path, every: int) -> list[tuple[str, int, int, int, str]]:
    """Count by part how many changes were tried, caught and named, and what an example was answered with."""
    tried: Counter[str] = Counter()
    caught: Counter[str] = Counter()
    named: Counter[str] = Counter()
    examples: dict[str, str] = defaultdict(str)
    for i, mutation in enumerate(islice(mutations(case), 0, None, every)):
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
    return [(part, n, caught[part], named[part], examples[part]) for part, n in tried.items()]


def every_bit(case: Case, every: int) -> tuple[int, int]:
    """Count the single bits that were turned over in the envelope, and those of them that were caught."""
    content = case.text.encode()
    bits, caught = range(0, len(content) * 8, every), 0
    for i in bits:
        try:
            verify(flipped(content, i // 8, i % 8).decode("latin-1"), case.keys)
        except RecordMismatch:
            caught += 1
    return len(bits), caught


def _short(text: str, length: int = 110) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


if __name__ == "__main__":
    COMMAND.main(run)
