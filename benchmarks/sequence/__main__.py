"""Requests in a row: each keeps what was forgotten before, or naively does not; beside both one job of all at once.

    OMP_NUM_THREADS=1 python -m benchmarks.sequence [--models fashion emoji] [--ways kept naive at-once] [--requests 10]

Six classes of `fashion`, and ten objects and styles of `emoji`. After each request every concept so far is judged.
*Kept*: a job goes on from the pair of the one before, as the service has it do, and forgets all so far. *Naive*: it
goes on likewise and asks for its own concept alone; earlier ones are in none of its batches. *At once*: one job.

A job that is finished is kept in ``--work`` and not run again, so that a run which was killed goes on. The page is of
the models, ways and requests that are asked for; with ``--finished`` nothing is run, and it is of what is there.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.sequence.runs import KEPT, NAIVE, WAYS, Bench
from benchmarks.sequence.series import SERIES, check_told_apart
from benchmarks.sequence.table import Rows, document, picture, summed_up
from benchmarks.shared.command import OUT, Command, Folder, Option
from benchmarks.shared.experiment import bundled
from benchmarks.shared.page import kept_commits, write

SIZES = {
    "requests": "requests",
    "images": "images",
    "later_images": "later",
    "retained": "retained",
    "forgotten": "forgotten",
}
"""Options by what a series calls them."""
COMMAND = Command(
    "sequence",
    __doc__,
    Option("--models", tuple(SERIES), "whose requests", quick=("fashion",), choices=tuple(SERIES)),
    Option("--ways", WAYS, "how they are answered", quick=(KEPT, NAIVE), choices=WAYS),
    Option("--requests", 10, "of a model, at most", quick=2),
    Option("--images", None, "of training of a job that goes on from none (else 3072, emoji 3200)", kind=int, quick=64),
    Option("--later-images", None, "of training of one that does (else half of these)", kind=int, quick=64),
    Option("--retained", None, "images judged of a remaining concept (else 250, emoji 54)", kind=int, quick=4),
    Option("--forgotten", None, "of a forgotten one (else 600, emoji 288)", kind=int, quick=4),
    Option("--finished", False, "run nothing: the page of what is finished"),
    Folder("--work", Path("build/sequence"), "where what is finished is kept"),
    OUT,
)


def run(arguments: argparse.Namespace) -> str:
    """Run every job that is not finished, then write the page and the pictures of all."""
    sizes = {size: getattr(arguments, option) for option, size in SIZES.items()}
    found = []
    for name in arguments.models:
        model, series = bundled(name), SERIES[name].with_sizes(sizes)
        check_told_apart(model, series.requests)
        bench = Bench(model, series, arguments.work)
        rows, folders = results(bench, arguments.ways, arguments.finished)
        found.append((bench, rows, folders))
    commits = kept_commits(folder for _, _, folders in found for folder in folders)
    sections = [(bench.series, rows) for bench, rows, _ in found]
    write(arguments.out, "sequence.md", document(sections, commits))
    for series, rows in sections:
        if drawn := picture(series, rows):
            (arguments.out / f"sequence-{series.base}.svg").write_text(drawn + "\n")
    return summed_up(sections)


def results(bench: Bench, ways: tuple[str, ...], finished: bool) -> tuple[Rows, list[Path]]:
    """Return the result of every job, by way and number of requests, and their folders. ``finished``: of those that
    are there."""
    rows: Rows = {}
    folders = []
    for way, n in bench.parts(ways):
        result = bench.found(way, n) if finished else bench.run(way, n)
        if result is None:
            print(f"{bench.series.base}: {way}, {n}: not there", flush=True)
            continue
        rows[way, n] = result
        folders.append(bench.folder(way, n))
        print(f"{bench.series.base}: {way}, {n}: finished", flush=True)
    return rows, folders


if __name__ == "__main__":
    COMMAND.main(run)
